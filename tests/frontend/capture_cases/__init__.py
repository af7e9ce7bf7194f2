"""Networks that cannot be captured or lowered, one a construct, each with the rewrite that its hint tells."""

from __future__ import annotations

from tests.frontend.capture_cases import control_flow, interfaces, python_values, state, tensors
from tests.frontend.capture_cases.case import TOML, Case

CASES = (*control_flow.CASES, *python_values.CASES, *tensors.CASES, *state.CASES, *interfaces.CASES)
__all__ = ["CASES", "TOML", "Case"]
