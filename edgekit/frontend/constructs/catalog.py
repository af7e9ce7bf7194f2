"""Catalog of all constructs, and the search for the one that a failure comes from."""

from __future__ import annotations

from edgekit.frontend.constructs.construct import CaptureFailure, Construct
from edgekit.frontend.constructs.control_flow import BRANCH, CONTROL_FLOW
from edgekit.frontend.constructs.interfaces import INTERFACES
from edgekit.frontend.constructs.python_values import VALUES
from edgekit.frontend.constructs.side_effects import STATE
from edgekit.frontend.constructs.tensor_kinds import KINDS
from edgekit.frontend.constructs.tensor_sizes import SIZES

VALUE = Construct(
    "value",
    "Python code that asks for the value of a tensor",
    "range(n)  or  n == 1, with a tensor n",
    "keep the tensor and choose by torch.where(CONDITION, A, B)",
    lambda failure: failure.value_needed,
)
"""The most general construct, last of all."""
CONSTRUCTS: tuple[Construct, ...] = (*INTERFACES, *STATE, *KINDS, *SIZES, *VALUES, *CONTROL_FLOW, BRANCH, VALUE)
"""Every construct; the first that recognizes a failure is its cause."""


def construct_of(failure: CaptureFailure) -> Construct | None:
    """Find the construct that a failure comes from; None if no construct recognizes it."""
    return next((construct for construct in CONSTRUCTS if construct.recognize(failure)), None)
