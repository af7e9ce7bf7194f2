"""Robustness of a candidate beside its reference: paired losses under each perturbation, and the worst of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.robustness.condition_scores import ConditionScores
from edgekit.parity.statistics.bootstrap import paired_bootstrap, pooled_bootstrap
from edgekit.parity.statistics.estimate import Estimate, between
from edgekit.perturb.perturbation import Family
from edgekit.tasks.metric import SHARE, Metric, Scores

Measure = Callable[[Sequence[ConditionScores], float, float], Estimate | None]
"""Function that estimates a change under conditions, with the confidences of the lower and of the upper bound."""


@dataclass(frozen=True)
class NamedEstimate:
    """An estimate, and the name of the perturbation that it is of."""

    name: str
    estimate: Estimate
    gain: bool = False
    """True if it is a gain: the candidate answers better with the perturbation than without."""


@dataclass(frozen=True)
class Robustness:
    """Scores of both endpoints, clean and under conditions, and the losses that follow from them.

    A loss is a difference of a share, 0.01 is one point, or of another metric a part of it, as `Metric.loss` says.
    """

    metric: Metric
    clean: tuple[Scores, Scores] | None
    """Scores of reference and candidate on the same N samples unperturbed; None without labels."""
    conditions: tuple[ConditionScores, ...]
    samples: int
    """Number N of samples of each condition."""
    among: int
    """Number of evaluation samples that these are of."""
    digest: str
    """SHA-256 over names, severities, versions and parameters of the perturbations."""
    unfit: tuple[tuple[str, str], ...] = ()
    """Names of perturbations that could not be applied, each with the reason."""
    why_pixels: str | None = None
    """Reason why systematic noise of pictures is on the model's pixels and not on files, a clause; None where it is."""

    def of(self, family: Family) -> dict[str, list[ConditionScores]]:
        """Conditions of a family, by the name of the perturbation; one of several inputs is named with the input."""
        named: dict[str, list[ConditionScores]] = {}
        inputs = {each.condition.domain.name for each in self.conditions}
        for each in self.conditions:
            condition = each.condition
            if condition.perturbation.family == family:
                of_input = f" of '{condition.domain.name}'" if len(inputs) > 1 else ""
                named.setdefault(condition.perturbation.name + of_input, []).append(each)
        return named

    def reference_loss(self, each: ConditionScores) -> float | None:
        """Loss of the reference itself, from clean samples to these; None without labels."""
        return self._own_loss(each, 0)

    def candidate_loss(self, each: ConditionScores) -> float | None:
        """Loss of the candidate itself, from clean samples to these; None without labels."""
        return self._own_loss(each, 1)

    def added(self, each: ConditionScores) -> float | None:
        """Loss that compression adds under one condition; None without labels."""
        if self.clean is None or each.scores is None:
            return None
        clean, (theirs, ours) = self.clean, each.scores
        return self.metric.loss(theirs.value, ours.value) - self.metric.loss(clean[0].value, clean[1].value)

    def added_at(self, conditions: Sequence[ConditionScores], confidence: float) -> Estimate | None:
        """Loss that compression adds: that of the candidate against the reference, less the same on clean samples.

        The mean over the conditions, between two one-sided bounds, each at `confidence`. A bootstrap over samples: the
        same samples are in all conditions. None without labels.
        """
        if self.clean is None:
            return None
        clean, pairs = self.clean, [each.scores for each in conditions if each.scores]
        if self._is_mean:
            differences = np.mean([theirs.each - ours.each for theirs, ours in pairs], axis=0)
            return paired_bootstrap(differences - (clean[0].each - clean[1].each), confidence)

        def added(indices: Array) -> float:
            losses = [self.metric.loss(theirs.at(indices), ours.at(indices)) for theirs, ours in pairs]
            return float(np.mean(losses)) - self.metric.loss(clean[0].at(indices), clean[1].at(indices))

        return pooled_bootstrap(added, self.samples, confidence)

    def gained_at(self, conditions: Sequence[ConditionScores], confidence: float, side: int = 1) -> Estimate | None:
        """Gain of one endpoint by the perturbation, from clean samples to these; as `added_at`.

        side: 0 is the reference, 1 the candidate.
        """
        if self.clean is None:
            return None
        clean, perturbed = self.clean[side], [each.scores[side] for each in conditions if each.scores]
        if self._is_mean:
            return paired_bootstrap(np.mean([one.each for one in perturbed], axis=0) - clean.each, confidence)

        def gained(indices: Array) -> float:
            return -float(np.mean([self.metric.loss(clean.at(indices), one.at(indices)) for one in perturbed]))

        return pooled_bootstrap(gained, self.samples, confidence)

    def worst_natural(self, confidence: float) -> NamedEstimate | None:
        """The natural corruption under which compression adds most, by its mean over the severities.

        The lower bound holds for the worst of all at once (Bonferroni). The upper one needs no correction: that all
        are below a limit is rejected by the first one that may not be (intersection-union; Berger 1982).
        """
        return self._worst([(name, self._added, each, False) for name, each in self.of("natural").items()], confidence)

    def worst_systematic(self, confidence: float) -> NamedEstimate | None:
        """The systematic perturbation by which most is lost: what compression adds under it, or the candidate's gain.

        A gain by one, such as BGR for RGB, is what the candidate loses without it: it expects other pixels than it is
        given. Where the reference gains as much, compression has no part in it (`shared_gain`). Bounds as in
        `worst_natural`.
        """
        named = self.of("systematic").items()
        added = [(name, self._added, each, False) for name, each in named]
        return self._worst([*added, *((name, self._own_gain, each, True) for name, each in named)], confidence)

    def shared_gain(self, confidence: float) -> NamedEstimate | None:
        """The systematic perturbation by which both endpoints gain most: both expect other inputs than they are given.

        The smaller of the two gains, with a lower bound that holds for all perturbations at once; None where none is
        sure to be a gain of both.
        """
        named = self.of("systematic").items()
        sure = 1 - (1 - confidence) / max(1, len(named))
        least = []
        for name, conditions in named:
            theirs, ours = (self.gained_at(conditions, sure, side) for side in (0, 1))
            if theirs and ours:
                least.append((name, min(theirs, ours, key=lambda one: one.low)))
        name, gain = max(least, key=lambda one: one[1].low, default=("", None))
        return NamedEstimate(name, gain, gain=True) if gain and gain.low > 0 else None

    def stability(self) -> tuple[float, float] | None:
        """Share of the answers of reference and candidate that stay under shifts; None where nothing was shifted."""
        shifted = [each.stays for conditions in self.of("shift").values() for each in conditions]
        if not shifted:
            return None
        reference, candidate = (float(np.mean([stays[side] for stays in shifted])) for side in (0, 1))
        return reference, candidate

    def stability_drop_at(self, confidence: float) -> Estimate | None:
        """Stability of the reference less that of the candidate, a bootstrap over samples; None without shifts."""
        shifted = [each.stays for conditions in self.of("shift").values() for each in conditions]
        if not shifted:
            return None
        return paired_bootstrap(
            np.mean([reference - candidate for reference, candidate in shifted], axis=0), confidence
        )

    def _worst(
        self,
        tried: Sequence[tuple[str, Measure, list[ConditionScores], bool]],
        confidence: float,
    ) -> NamedEstimate | None:
        estimates = []
        for name, measure, conditions, gain in tried:
            estimate = measure(conditions, 1 - (1 - confidence) / len(tried), confidence)
            if estimate:
                estimates.append((name, gain, estimate.value, estimate.low, estimate.high))
        if not estimates:
            return None
        name, gain, value, _, _ = max(estimates, key=lambda one: one[2])
        low, high = max(one[3] for one in estimates), max(one[4] for one in estimates)
        return NamedEstimate(name, Estimate(value, min(value, low), max(value, high)), gain)

    def _added(self, conditions: Sequence[ConditionScores], low: float, high: float) -> Estimate | None:
        """Loss that compression adds, as `added_at`, with a confidence for each bound."""
        lower, upper = self.added_at(conditions, low), self.added_at(conditions, high)
        return Estimate(upper.value, lower.low, upper.high) if lower and upper else None

    def _own_gain(self, conditions: Sequence[ConditionScores], low: float, high: float) -> Estimate | None:
        """Gain of the candidate by the perturbation that the reference has not, with a confidence for each bound.

        The smaller of its gain, and of what that exceeds the gain of the reference by. Below a limit is either, so that
        each upper bound has half of the error; above it are both, and the lower bounds need no correction.
        """
        half = (1 + high) / 2
        lower = self.gained_at(conditions, low), self.added_at(conditions, low)
        upper = self.gained_at(conditions, half), self.added_at(conditions, half)
        if lower[0] is None or lower[1] is None or upper[0] is None or upper[1] is None:
            return None
        value = min(lower[0].value, -lower[1].value)
        return between(value, min(lower[0].low, -lower[1].high), min(upper[0].high, -upper[1].low))

    def _own_loss(self, each: ConditionScores, side: int) -> float | None:
        if self.clean is None or each.scores is None:
            return None
        return self.metric.loss(self.clean[side].value, each.scores[side].value)

    @property
    def _is_mean(self) -> bool:
        return self.metric.unit == SHARE and self.clean is not None and self.clean[0].pooled is None
