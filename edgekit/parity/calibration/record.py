"""Records of a report on calibration: figures of both endpoints, and their paired differences."""

from __future__ import annotations

from edgekit.ir.record import Record
from edgekit.tasks.class_scores import Form


class ReliabilityBin(Record):
    """Decisions whose confidence lies in one of 15 equal parts of 0 to 1, without its lower edge."""

    low: float
    high: float
    count: int
    confidence: float
    """Mean confidence of these decisions."""
    outcome: float
    """Share of them that are right, or of the classes that are there."""


class CalibrationFigures(Record):
    """Calibration of one endpoint."""

    ece: float
    """Expected calibration error over 15 bins of equal width, in [0, 1]. Of few samples it is too high by chance."""
    adaptive_ece: float
    """The same over 15 bins of as many decisions each."""
    brier: float
    """Mean squared error of the probabilities: 0 to 2 summed over the classes of a softmax, 0 to 1 of a sigmoid."""
    nll: float
    """Mean negative log-likelihood of the truth, in nats."""
    confidence: float
    """Mean confidence."""
    outcome: float
    """Share of the decisions that are right, or of the classes that are there."""
    bins: tuple[ReliabilityBin, ...]
    """Bins of equal width that hold any decision."""


class CalibrationDifference(Record):
    """Candidate minus reference, by a paired bootstrap over samples; bounds at 95 % each."""

    value: float
    low: float
    high: float


class TemperatureGain(Record):
    """Gain by the temperature with the least loss. Each half of the samples is measured with the other half's."""

    temperature: float
    """Temperature of all samples."""
    ece: float
    nll: float
    at_limit: bool = False
    """True if the search ended at 0.05 or 20."""


class CalibrationRecord(Record):
    """Calibration of the probabilities of both endpoints on the same samples."""

    sentence: str
    """The finding for someone who is no engineer."""
    form: Form
    """Form of the output: logits, whose softmax or sigmoid the probabilities are, or probabilities."""
    stated: bool
    """True if the project states the form, false if it was told by the reference's values."""
    several: bool
    """True if each class is a decision of its own (sigmoid)."""
    samples: int
    decisions: int
    reference: CalibrationFigures
    candidate: CalibrationFigures
    ece_drop: CalibrationDifference
    adaptive_ece_drop: CalibrationDifference
    brier_drop: CalibrationDifference
    nll_drop: CalibrationDifference
    gain: TemperatureGain
    """Gain that a temperature would bring the candidate."""
    temperature: float | None = None
    """Temperature in the model, by which both endpoints' logits are divided; left out where there is none."""
    untempered: CalibrationFigures | None = None
    """The reference without the temperature; left out where the model has none."""
