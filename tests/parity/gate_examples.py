"""Inputs of gates, and the result of one gate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.adversarial import AttackRecord
from edgekit.parity.calibration.paired_calibration import paired_calibration
from edgekit.parity.compare import compare, summarize
from edgekit.parity.comparison import Comparison
from edgekit.parity.data.governance import DataGovernance, OverlapRecord
from edgekit.parity.data.labels import LabelCheck
from edgekit.parity.gate_inputs import Device, FloatRecord, GateInputs
from edgekit.parity.gates import GateResult, judge
from edgekit.parity.outside.paired_outside import OutsideScores, paired_outside
from edgekit.parity.poisoning.record import BackdoorScreen, Patch, PoisoningScreen
from edgekit.parity.slices.record import GroupGap, SliceParity, SliceRecord
from edgekit.specs.profile import Gates
from edgekit.tasks.classification import Classification
from tests.parity.calibration.examples import scores, truthful
from tests.parity.examples import comparison, pair, timed

ROLES = ("calibration", "training")


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


SCREEN = PoisoningScreen(
    samples=300,
    tensors=12,
    poisoned=(3, 17),
    backdoor=BackdoorScreen(
        classes=tuple(range(10)),
        of_classes=10,
        patches=(Patch(target=7, row=6, column=6, height=2, width=2, pixels=4.0, flips=63, pasted=64),),
        suspected=(7,),
    ),
)
"""A screen that names two samples, and a patch that flips to class 7."""


def attack(right: int, only: tuple[int, int], name: str = "FGSM") -> AttackRecord:
    """An attack on 400 samples. only: how many of them only the reference, and only the candidate, gets right."""
    return AttackRecord(
        attack=name,
        epsilon=1.0,
        epsilon_share=1 / 16,
        samples=400,
        reference_right=right,
        candidate_right=right - only[0] + only[1],
        reference_only=only[0],
        candidate_only=only[1],
    )


def with_probabilities(paired: Comparison) -> Comparison:
    """Comparison whose endpoints give probabilities, of samples from outside too."""
    logits, labels = truthful(200)
    known, outside = scores(logits, labels), scores(logits[:100] / 2)
    detected = paired_outside(OutsideScores((known, outside), (known, outside), "noise", "energy"))
    return replace(paired, calibration=paired_calibration(known, known, "top1"), outside=detected)


STEADY = np.full(128, 2_000_000)
GOVERNED = DataGovernance(
    sets=(),
    overlaps=tuple(OverlapRecord(role=role, samples=100, others=50, exact=0, near=0, share=0) for role in ROLES),
    labels=LabelCheck(samples=100, suspicious=2, share=0.02, thresholds=(0.9, 0.9)),
    policy=True,
)
"""Data sets of which every gate on data can be read."""
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
