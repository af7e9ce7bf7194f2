"""Comparison of a reference and a candidate: what a verdict, its gates and its report are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.ir.plural import counted
from edgekit.ir.record import Record
from edgekit.parity.adversarial import AdversarialSensitivity
from edgekit.parity.calibration.paired_calibration import PairedCalibration
from edgekit.parity.confusion import Confusion
from edgekit.parity.data.governance import DataGovernance
from edgekit.parity.drift import Drift
from edgekit.parity.early_stop import EarlyStop
from edgekit.parity.endpoint_record import EndpointRecord
from edgekit.parity.flips import Flip
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.outside.paired_outside import PairedOutside
from edgekit.parity.paired_answers import PairedAnswers
from edgekit.parity.poisoning.record import PoisoningScreen
from edgekit.parity.robustness.robustness import Robustness
from edgekit.parity.slices.record import SliceParity
from edgekit.parity.token_parity import TokenParity
from edgekit.tasks.metric import SHARE
from edgekit.tasks.secondary import SecondaryFigure


class FlipExample(Record):
    """Answers of both endpoints to one flipped sample, in words."""

    sample: int
    """Index of the sample in the measurement."""
    reference: str
    candidate: str
    label: str | None
    """The label; null where the sample has none."""
    id: str | None = None
    """Name of the sample on the disk of who built it: a path in the data set's folder, or a row of its file."""
    reference_margin: float | None = None
    """Highest score of a class minus the second, in the output's unit; left out where the task has no classes."""
    candidate_margin: float | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison(PairedAnswers):
    """Comparison of a reference and a candidate over the same samples."""

    reference: EndpointRecord
    candidate: EndpointRecord
    sqnr_db: float
    """Signal to quantization noise of the candidate's worst output, in dB; infinite when equal."""
    outputs_sqnr_db: Mapping[str, float]
    """The same of each output, by name."""
    chance: float | None
    """Metric of the best constant answer to these labels; None where it is not known."""
    distinct_answers: tuple[int, int]
    """Number of different answers of the reference, and of the candidate."""
    secondary: tuple[SecondaryFigure, ...] = ()
    """Figures of the task beside the metric, which no gate bounds."""
    flip_examples: tuple[FlipExample, ...] = ()
    """The first flipped samples, in words."""
    drift: Drift | None = None
    """Error over time; None for samples that are no sequences."""
    tokens: TokenParity | None = None
    """Parity of language models, token by token; None for another task."""
    adversarial: AdversarialSensitivity | None = None
    """Sensitivity to changes against the answer; None where no gate asks for it."""
    poisoning: PoisoningScreen | None = None
    """Screen of the calibration data and of the network for planted samples; None where no gate asks for it."""
    calibration: PairedCalibration | MissingValue | None = None
    """Calibration of the probabilities of both, or the reason why it was not measured."""
    outside: PairedOutside | MissingValue | None = None
    """Detection of samples from outside; None where the project states none."""
    governance: DataGovernance | None = None
    """Data sets, and what was noticed about them; None where they are not known."""
    flips: tuple[Flip, ...] = ()
    """All samples that the two do not answer alike."""
    slices: SliceParity | None = None
    """Parity slice by slice; None where the samples themselves are not at hand."""
    early_stop: EarlyStop | None = None
    """Sequential looks after which no more samples were asked; None where all were asked at once."""
    robustness: Robustness | None = None
    """Losses of both on perturbed samples; None where none were measured."""

    confusion: Confusion | None = None
    """Confusion of classes; None without labels, and where an answer is no single class."""

    def __repr__(self) -> str:
        sides = [f"{side.score.value:.4f}" for side in (self.reference, self.candidate) if side.score]
        scored = f"{self.metric.name} {' and '.join(sides)}, " if sides else ""
        return f"<Comparison of {counted(self.samples, 'sample')}: {scored}agreement {self.agreement:.4f}>"

    @property
    def is_by_chance(self) -> bool:
        """True if one constant answer does as well as the reference: then the comparison says nothing."""
        score = self.reference.score
        if self.chance is None or score is None or self.always_right:
            return False
        return self.metric.loss(self.chance, score.value) >= 0

    @property
    def always_right(self) -> bool:
        """True if one constant answer is right for every sample: there is nothing to tell apart."""
        return self.metric.unit == SHARE and self.chance == 1
