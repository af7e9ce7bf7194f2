"""Accuracy without labels: ATC (Garg et al. 2022) and DoC with temperature (Guillory et al. 2021).

ATC takes the share of answers whose confidence reaches the threshold that as many reached at build as were right. DoC
takes the accuracy at build less what the mean confidence has fallen. Both hold while inputs shift and labels go on
meaning what they did.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgekit.monitor.distances import kolmogorov_smirnov, total_variation
from edgekit.monitor.window_sum import WindowSum
from edgekit.parity.statistics.estimate import Estimate, normal_quantile
from edgekit.runner.counts.bins import FIXED, ReferenceAccuracy

BEYOND = 0.5
"""KS distance of the confidence beyond which neither method has been seen to hold: no number is given."""
OTHER_INPUTS = 0.3
"""KS distance of an input from which on it is other inputs, and not other classes, that move the answers."""
FEW_SHARE = 0.05
"""Share of answers in classes that are not told, beyond which the mix of classes is not judged."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class AccuracyNow:
    """Estimated accuracy of a window."""

    commit: float
    """Accuracy on the evaluation samples, at build."""
    atc: float
    doc: float
    accuracy: Estimate
    """Mean of both, and an interval that holds the 95 % interval of either: they differ where they are unsure."""
    error: float
    """Standard error of the drop by chance alone: of the window and of the evaluation samples."""

    @property
    def drop(self) -> float:
        return self.commit - self.accuracy.value


def accuracy_now(window: WindowSum, alike: float) -> AccuracyNow | None:
    """Estimate of a window; None where the bins know no accuracy, or the confidence is beyond what is estimated.

    alike: successive answers that tell as much as one.
    """
    reference = window.bins.accuracy
    if reference is None or window.usable == 0:
        return None
    now = _estimate(window, reference, alike)
    return None if contradiction(window, now.accuracy.value) else now


def contradiction(window: WindowSum, estimate: float | None = None) -> str | None:
    """Reason why no number is given, by what the counts say beside the confidence; None where there is none.

    Where inputs have changed and the classes are as frequent as they were, as many answers are wrong at least as the
    mix of answers has moved (total variation): an estimate above that is of a model that errs with confidence.
    """
    far = confidence_shift(window)
    if far > BEYOND:
        return f"the confidence is {far:.2f} from the evaluation set's, and beyond {BEYOND:g} no estimate holds"
    reference = window.bins.accuracy
    if reference is None or not window.usable:
        return "the bundle's bins know no accuracy"
    value = _estimate(window, reference, 1.0).accuracy.value if estimate is None else estimate
    moved = class_shift(window)
    if moved is not None and moved > 1 - value and input_shift(window) > OTHER_INPUTS:
        most = f"at most {1 - moved:.0%} can be right if the classes are as frequent as they were"
        return f"the inputs are others, and of their answers {most}: the model errs with confidence"
    return None


def _estimate(window: WindowSum, reference: ReferenceAccuracy, alike: float) -> AccuracyNow:
    count, known = window.usable / alike, reference.rows
    right, share_then = reference.right / known, reference.above / known
    share = window.above / window.usable
    mean, mean_then = window.confidence / FIXED / window.usable, reference.confidence / FIXED / known
    spread = max(0.0, window.squares / FIXED / window.usable - mean**2)
    spread_then = max(0.0, reference.squares / FIXED / known - mean_then**2)
    doc = min(1.0, max(0.0, right - (mean_then - mean)))
    # Of the reference: above and right are the same samples for the most part, so their errors are not added twice.
    atc_error = math.sqrt(_variance(share, count) + _variance(share_then, known))
    doc_error = math.sqrt(spread / count + spread_then / known)
    z, base = normal_quantile((1 + CONFIDENCE) / 2), _variance(right, known)
    atc_half, doc_half = z * atc_error, z * math.sqrt(doc_error**2 + base)
    value = (share + doc) / 2
    low, high = min(share - atc_half, doc - doc_half), max(share + atc_half, doc + doc_half)
    interval = Estimate(value, max(0.0, low), min(1.0, high))
    return AccuracyNow(right, share, doc, interval, (atc_error + doc_error) / 2)


def confidence_shift(window: WindowSum) -> float:
    """KS distance of the confidence from the reference's; 0 where it is not counted."""
    return _distance(window, "confidence")


def input_shift(window: WindowSum) -> float:
    """Largest KS distance of a signal of the inputs; 0 where none is counted."""
    return max((_distance(window, name) for name in window.signals if name.startswith("input.")), default=0.0)


def class_shift(window: WindowSum) -> float | None:
    """Total variation of the predicted classes, at least; None where too many are not told."""
    told = int(window.classes.sum())
    if not told or window.few > FEW_SHARE * (told + window.few):
        return None
    # What is not told may be anywhere.
    moved = total_variation(np.asarray(window.bins.classes), window.classes)
    return max(0.0, moved - window.few / (told + window.few))


def _distance(window: WindowSum, name: str) -> float:
    bins, counts = window.bins.signals.get(name), window.signals.get(name)
    if bins is None or counts is None or not counts.any():
        return 0.0
    return kolmogorov_smirnov(np.asarray(bins.counts), counts)


def _variance(share: float, count: float) -> float:
    # One more of either kind: a share of 0 or 1 of few is not certain.
    shrunk = (share * count + 1) / (count + 2)
    return shrunk * (1 - shrunk) / count
