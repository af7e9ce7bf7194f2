"""Calibration of a reference and of a candidate on the same samples, with intervals of the difference."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.ir.plural import counted, verb
from edgekit.parity.calibration.decisions import BINS, Decisions, decisions, expected_error, mass_bins, width_bins
from edgekit.parity.calibration.record import (
    CalibrationDifference,
    CalibrationFigures,
    CalibrationRecord,
    ReliabilityBin,
    TemperatureGain,
)
from edgekit.parity.calibration.resampling import FIGURES, RESAMPLES, PairedSums, figures
from edgekit.parity.calibration.temperature import fit_temperature
from edgekit.parity.loss_words import loss_words
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.statistics.estimate import Estimate
from edgekit.tasks.class_scores import ClassScores, Form, form_of, refusal

LEAST = 100
"""Fewest samples whose calibration is judged: below, 15 bins hold chance."""
CONFIDENCE = 0.95
"""One-sided confidence of the bounds in a report."""


@dataclass(frozen=True)
class PairedCalibration:
    """Class scores of two endpoints for the same decisions, with labels."""

    reference: ClassScores
    candidate: ClassScores
    form: Form

    @property
    def samples(self) -> int:
        return self._sums.samples

    def drop_at(self, confidence: float) -> Estimate:
        """Expected calibration error of the candidate minus the reference's, between two one-sided bounds.

        Each bound is at `confidence`. Both errors are too high on few samples, by as much where the two are alike: the
        difference has little bias. A bootstrap adds bias once more, so its percentiles are moved until their mean is
        the difference that was measured.
        """
        return self._difference(0, confidence)

    @cached_property
    def record(self) -> CalibrationRecord:
        """Record for a report."""
        ours, theirs = map(_figures, self._sides)
        drops = [self._difference(k, CONFIDENCE) for k in range(len(FIGURES))]
        drop = [CalibrationDifference(value=each.value, low=each.low, high=each.high) for each in drops]
        untempered = None
        if self.reference.temperature is not None:
            untempered = _figures(decisions(self.reference, self.form, 1 / self.reference.temperature))
        return CalibrationRecord(
            sentence=_sentence(ours, theirs, drop[0], self.samples),
            form=self.form,
            stated=self.reference.form is not None,
            several=self.reference.several,
            samples=self.samples,
            decisions=len(self._sides[0].confidence),
            reference=ours,
            candidate=theirs,
            ece_drop=drop[0],
            adaptive_ece_drop=drop[1],
            brier_drop=drop[2],
            nll_drop=drop[3],
            gain=_gain(self.candidate, self.form),
            temperature=self.reference.temperature,
            untempered=untempered,
        )

    @cached_property
    def _sides(self) -> tuple[Decisions, Decisions]:
        return decisions(self.reference, self.form), decisions(self.candidate, self.form)

    @cached_property
    def _sums(self) -> PairedSums:
        return PairedSums(*self._sides)

    @cached_property
    def _draws(self) -> Array:
        return self._differences(self._sums.draws())

    def _difference(self, k: int, confidence: float) -> Estimate:
        needed = math.ceil(100 / (1 - confidence))
        draws = self._draws if needed <= RESAMPLES else self._differences(self._sums.draws(needed))
        value = float(self._differences(self._sums.whole[None])[0, k])
        moved = draws[:, k] - (draws[:, k].mean() - value)
        low, high = np.quantile(moved, (1 - confidence, confidence))
        return Estimate(value, min(value, float(low)), max(value, float(high)))

    @staticmethod
    def _differences(sums: Array) -> Array:
        reference, candidate = figures(sums)
        return candidate - reference


def paired_calibration(
    reference: ClassScores | None, candidate: ClassScores | None, task: str
) -> PairedCalibration | MissingValue:
    """Pair class scores of two endpoints, or say why their calibration is not measured.

    The form of the output is that of the reference's values: a quantized softmax adds up to 1 only nearly. task: name
    of the metric, for the reason.
    """
    if reference is None or candidate is None:
        return MissingValue(f"'{task}' is no metric of class scores, from which probabilities follow")
    if reference.truth is None:
        return MissingValue("the samples have no labels of the classes, which tell how often an answer is right")
    for scores, owner in ((reference, "the reference"), (candidate, "the candidate")):
        # A candidate whose probabilities are all 0 or 1 is measured: it is the over-confidence that is looked for.
        reason = refusal(scores)
        if reason and (scores is reference or not np.isfinite(scores.values).all()):
            return MissingValue(f"of {owner}, {reason}")
    if reference.samples < LEAST:
        few = verb(reference.samples, "is", "are")
        reason = f"{counted(reference.samples, 'sample')} {few} too few for 15 bins, {LEAST} are needed"
        return MissingValue(reason, "undecided", more=True)
    present = np.unique(reference.truth)
    if len(present) == 1:
        one = "every flag is the same" if reference.several else f"every label is class {present[0]}"
        return MissingValue(f"{one}: a model that always says so would be perfectly sure and right")
    return PairedCalibration(reference, candidate, form_of(reference))


def _figures(side: Decisions) -> CalibrationFigures:
    bins = width_bins(side.confidence)
    counts = np.bincount(bins, minlength=BINS)
    confidences, outcomes = (np.bincount(bins, values, BINS) for values in (side.confidence, side.outcome))
    return CalibrationFigures(
        ece=expected_error(side.confidence, side.outcome, bins),
        adaptive_ece=expected_error(side.confidence, side.outcome, mass_bins(side.confidence)),
        brier=float(side.brier.mean()),
        nll=float(side.nll.mean()),
        confidence=float(side.confidence.mean()),
        outcome=float(side.outcome.mean()),
        bins=tuple(
            ReliabilityBin(
                low=k / BINS,
                high=(k + 1) / BINS,
                count=int(counts[k]),
                confidence=float(confidences[k] / counts[k]),
                outcome=float(outcomes[k] / counts[k]),
            )
            for k in np.flatnonzero(counts).tolist()
        ),
    )


def _gain(scores: ClassScores, form: Form) -> TemperatureGain:
    """Cross-fitted gain of a temperature: what is measured on a sample was fitted on others."""
    halves = [_part(scores, np.unique(scores.sample, return_inverse=True)[1] % 2 == k) for k in range(2)]
    parts = [decisions(halves[1 - k], form, fit_temperature(halves[k], form).value) for k in range(2)]
    confidence, outcome, nll = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("confidence", "outcome", "nll")
    )
    whole = fit_temperature(scores, form)
    error = expected_error(confidence, outcome, width_bins(confidence))
    return TemperatureGain(temperature=whole.value, ece=error, nll=float(nll.mean()), at_limit=whole.at_limit)


def _part(scores: ClassScores, chosen: Array) -> ClassScores:
    assert scores.truth is not None
    return replace(scores, values=scores.values[chosen], truth=scores.truth[chosen], sample=scores.sample[chosen])


def _sentence(
    reference: CalibrationFigures, candidate: CalibrationFigures, drop: CalibrationDifference, samples: int
) -> str:
    """Sentence on the sureness of both endpoints and on what compression changed."""
    sides = [f"{100 * side.ece:.2f} points" for side in (reference, candidate)]
    changed = loss_words(drop.low, drop.high)
    return (
        f"How sure the reference is differs from how often it is right by {sides[0]} (expected calibration error), the "
        f"candidate by {sides[1]}, on {counted(samples, 'sample')}: {changed}. The candidate is "
        f"{_direction(candidate)}."
    )


def _direction(side: CalibrationFigures) -> str:
    """Words on the mean difference between confidence and outcome."""
    gap = side.confidence - side.outcome
    if abs(gap) < 0.005:
        return "as sure as it is right on the whole"
    return f"{'over' if gap > 0 else 'under'}-confident by {100 * abs(gap):.1f} points on the whole"
