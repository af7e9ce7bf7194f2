"""Inputs of gates, and the result of one gate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.compare import compare, summarize
from edgekit.parity.comparison import Comparison
from edgekit.parity.gate_readings import Device, FloatRecord, GateInputs
from edgekit.parity.gates import GateResult, judge
from edgekit.parity.slices.record import GroupGap, SliceParity, SliceRecord
from edgekit.specs.profile import Gates
from edgekit.tasks.classification import Classification
from tests.parity.examples import comparison, pair, timed


def facts(paired: Comparison | None = None, device: Device = "none", **changed: Any) -> GateInputs:
    shares = {
        "size_ratio": 0.29,
        "integer_share": 1.0,
        "integer_macs_share": 0.99,
        "fallback_share": 0.01,
        "fallback_bytes_share": 0.1,
        "fragments": 1,
    }
    return GateInputs(comparison=paired or comparison(), device=device, **{**shares, **changed})


def judged(name: str, bound: dict[str, float], known: GateInputs) -> GateResult:
    (result,) = (gate for gate in judge(Gates.model_validate({name: bound}), known) if gate.name == name)
    assert (result.name, result.min, result.max) == (name, bound.get("min"), bound.get("max"))
    return result


def on_device(latency_ns: Array, invalid: str | None = None, **changed: Any) -> Comparison:
    reference, candidate = pair(100, 0, 0)
    return compare(reference, replace(timed(candidate, latency_ns, invalid), **changed), Classification())


STEADY = np.full(128, 2_000_000)
FLOAT = FloatRecord(latency=summarize(timed(pair(100, 0, 0)[1], np.full(128, 4_000_000))), instructions=400_000)

SLICE = SliceRecord(
    name="light = dim", words="light = dim", by="light", origin="stated", samples=100, agreement=0.97, reference=0.9,
    candidate=0.87, drop=0.03, others=0.0, reference_only=3, candidate_only=0,
)  # fmt: skip
GAP = GroupGap(
    by="light", groups=2, samples=200, before=0.01, after=0.04, worst="light = dim", best="light = day",
    standard_error=0.01,
)  # fmt: skip
SLICES = SliceParity(confidence=0.95, sentence="", slices=(SLICE,), classes=(SLICE,), gaps=(GAP,))
