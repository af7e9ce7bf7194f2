"""Ablation: what each step of a recipe buys and costs, by the artifact without it on the same samples."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edgekit.ir.record import Record
from edgekit.parity.comparison import Comparison

CONFIDENCE = 0.95
"""Two-sided confidence of every interval."""
Effect = Literal["buys", "costs", "not shown", "no labels"]


class AccuracyEffect(Record):
    """Metric of the whole recipe minus the metric without the step, on the same samples, with its 95 % interval.

    Of a metric with a unit: relative to the whole recipe's. Positive where the step buys accuracy.
    """

    value: float
    low: float
    high: float
    whole_only: int
    """Number of samples that the whole recipe answers better: for classification, alone gets right."""
    without_only: int
    """Number of samples that the recipe without the step answers better."""
    mcnemar_p: float

    @property
    def effect(self) -> Effect:
        """`buys` or `costs` where the interval excludes zero."""
        if self.low > 0:
            return "buys"
        return "costs" if self.high < 0 else "not shown"


class RecipeCost(Record):
    """Measured artifact of one recipe: what it weighs, how much it computes, how it answers."""

    metric: float | None
    """Metric on the evaluation samples; null without labels."""
    agreement: float
    """Agreement with the float reference, in [0, 1]."""
    sqnr_db: float | None
    """SQNR of the worst output against the float reference, in dB; null where infinite."""
    size_bytes: int
    macs: int
    integer_macs: int
    """Multiply-accumulates that integer kernels run, estimated from the file where no device counted instructions."""
    instructions: int | None = None
    """Instructions of one inference, counted on an emulated device; left out elsewhere."""
    latency_p50_ns: int | None = None
    """Median time of an inference on a device that is no emulated one; left out where none was timed."""


class Ablated(Record):
    """One step, and the recipe without it; or the reason why that cannot be built."""

    step: str
    change: str
    """Keys that take the step out, as `--set` takes them."""
    cost: RecipeCost | None = None
    accuracy: AccuracyEffect | None = None
    """Left out without labels."""
    same_file: bool = False
    """True if the file without the step is the same, byte for byte: the step did nothing here."""
    reason: str | None = None
    """Reason why there is no artifact without the step."""
    remarks: tuple[str, ...] = ()
    """Sentences on how the recipe without the step was settled, such as what precision repair did in its place."""
    stages_made: int = 0
    """Stages that had to be run for this row; the others were in the cache."""
    seconds: float = 0.0
    """Time of these stages."""

    @property
    def effect(self) -> Effect:
        return self.accuracy.effect if self.accuracy else "no labels"


class Ablation(Record):
    """Ablation of one profile: the whole recipe, and each of its steps taken out alone."""

    schema_version: Literal[1] = Field(1, alias="schema")
    project: str
    target: str
    backend: str
    profile: str
    device: str | None = None
    """Device that counted or timed; left out where none did."""
    samples: int
    """Evaluation samples of every row, the same in all."""
    metric: str | None
    """Name of the metric; null without labels."""
    unit: str
    higher_is_better: bool
    reference: float | None
    """Metric of the float reference; null without labels."""
    whole: RecipeCost
    remarks: tuple[str, ...] = ()
    """Sentences on how the whole recipe was settled, such as what precision repair did."""
    rows: tuple[Ablated, ...] = ()
    missing: tuple[str, ...] = ()
    """Steps that were not tried yet, as the ablation was stopped."""
    stages_made: int = 0
    """Stages that had to be run for all that is above; the others were in the cache."""
    seconds: float = 0.0


def accuracy_effect(compared: Comparison, same_file: bool) -> AccuracyEffect | None:
    """Effect of a step on accuracy, by the whole recipe (as reference) and the one without it; None without labels.

    same_file: true if both are one file, byte for byte: then the effect is none, and certain.
    """
    drop = compared.drop_at((1 + CONFIDENCE) / 2)
    if drop is None:
        return None
    if same_file:
        return AccuracyEffect(value=0.0, low=0.0, high=0.0, whole_only=0, without_only=0, mcnemar_p=1.0)
    return AccuracyEffect(
        value=drop.value,
        low=drop.low,
        high=drop.high,
        whole_only=compared.reference_only,
        without_only=compared.candidate_only,
        mcnemar_p=compared.mcnemar_p,
    )


def metric_of(compared: Comparison) -> float | None:
    """Metric of the candidate; None without labels."""
    return compared.candidate.score.value if compared.candidate.score else None
