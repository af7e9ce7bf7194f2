"""Sensitivity to changes against the answer, and what compression adds to it: paired, on the same changed samples."""

from __future__ import annotations

import numpy as np

from edgekit.ir.record import Record
from edgekit.parity.paired_answers import PairedAnswers
from edgekit.parity.statistics.bootstrap import paired_bootstrap
from edgekit.parity.statistics.estimate import Estimate

MEANING = (
    "Sensitivity, not security: the changes follow the gradient of the float network and are put before the artifact "
    "as they are. An attacker who knows the artifact does better; one who cannot reach the input does nothing."
)


class AttackRecord(Record):
    """Answers of reference and candidate to samples that one attack changed."""

    attack: str
    """`FGSM`, or `PGD-10` with its steps; `none` for the same samples unchanged."""
    epsilon: float
    """Largest change of a value, in the units of the raw input."""
    epsilon_share: float
    """The same over the range of the input."""
    samples: int
    reference_right: int
    """Number of samples that the reference answers as they are labelled; without labels, as before the change."""
    candidate_right: int
    reference_only: int
    """Number of samples that only the reference answers so."""
    candidate_only: int

    @property
    def title(self) -> str:
        return self.attack if self.attack == "none" else f"{self.attack}, ε {self.epsilon:g}"

    @property
    def added(self) -> float:
        """Share of right answers of the reference minus that of the candidate: what compression adds to the loss."""
        return (self.reference_only - self.candidate_only) / self.samples

    def added_at(self, confidence: float) -> Estimate:
        """The same between two one-sided bounds, each at `confidence`."""
        both = self.samples - self.reference_only - self.candidate_only
        differences = np.repeat([1.0, -1.0, 0.0], [self.reference_only, self.candidate_only, both])
        return paired_bootstrap(differences, confidence)


class AdversarialSensitivity(Record):
    """Attacks on a classifier, and the same samples unchanged."""

    reason: str | None = None
    """Reason why nothing could be attacked."""
    input: str = ""
    """Name of the input that was changed."""
    low: float = 0.0
    high: float = 0.0
    """Range of the input, as seen on the samples: changes stay within it."""
    whole_numbers: bool = False
    """True if the input takes whole numbers: the least change is 1."""
    clean: AttackRecord | None = None
    """The same samples unchanged."""
    attacks: tuple[AttackRecord, ...] = ()

    @property
    def worst(self) -> AttackRecord | None:
        """The attack on which compression adds most."""
        return max(self.attacks, key=lambda one: one.added, default=None)


def attack_record(attack: str, epsilon: float, share: float, compared: PairedAnswers) -> AttackRecord:
    """Record of a comparison of both endpoints on changed samples, scored 0 or 1 each."""
    assert compared.scores is not None  # what has no labels was given the reference's answers
    reference, candidate = (scores.each for scores in compared.scores)
    return AttackRecord(
        attack=attack,
        epsilon=epsilon,
        epsilon_share=share,
        samples=compared.samples,
        reference_right=int(reference.sum()),
        candidate_right=int(candidate.sum()),
        reference_only=int((reference > candidate).sum()),
        candidate_only=int((candidate > reference).sum()),
    )
