"""Shifts of a window: how far each signal is from the evaluation set, and how far it may be by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.monitor.accuracy_estimate import class_shift
from edgekit.monitor.distances import jensen_shannon, kolmogorov_smirnov, population_stability
from edgekit.monitor.quiet_null import distance_bound
from edgekit.monitor.window_sum import WindowSum

CLASSES = "predicted classes"
LEAST_ROWS = 50
"""Rows that a signal is judged by, at least: inputs are measured of one request in n."""
WORDS = {
    "mean": "brightness (mean)",
    "deviation": "contrast (deviation)",
    "sharpness": "sharpness",
    "clipped": "share at the ends of the range",
    "low": "least value",
    "high": "greatest value",
}


@dataclass(frozen=True)
class SignalShift:
    """Distance of one signal of a window from the reference."""

    signal: str
    distance: float
    """Kolmogorov-Smirnov's, or the total variation of the predicted classes, in [0, 1]."""
    chance: float
    """Distance that is passed by chance as rarely as the profile allows."""
    psi: float
    jensen_shannon: float
    """In bits."""
    rows: int

    def is_beyond(self, limit: float) -> bool:
        """True if it is more than chance, and more than the limit."""
        return self.distance > max(limit, self.chance)


def quantities(window: WindowSum) -> int:
    """Number of quantities of a window that may raise an alarm: its signals, the classes, and the accuracy."""
    return len(window.signals) + 2


def signal_shifts(window: WindowSum, level: float, alike: float) -> tuple[SignalShift, ...]:
    """Shifts of all signals that there are enough rows of, the largest first.

    level: probability of passing `chance`. alike: successive rows that tell as much as one.
    """
    shifts = []
    for name, counts in window.signals.items():
        reference, rows = np.asarray(window.bins.signals[name].counts), int(counts.sum())
        if rows >= LEAST_ROWS and len(counts) > 1:
            chance = distance_bound(reference, rows / _dependence(window, rows, alike), level, is_ordered=True)
            distance = kolmogorov_smirnov(reference, counts)
            shifts.append(_shift(name, distance, chance, reference, counts, rows))
    mix = _class_shift(window, level, alike)
    return tuple(sorted((*shifts, *mix), key=lambda shift: -shift.distance))


def signal_words(name: str) -> str:
    """Name of a signal for people: `image: sharpness, channel 0`."""
    kind, _, rest = name.partition(".")
    if kind not in ("input", "output") or "." not in rest:
        return name
    tensor, _, rest = rest.partition(".") if kind == "input" else rest.rpartition(".")
    word, _, channel = rest.partition(".")
    of = f", channel {channel}" if channel else ""
    return f"{tensor}: {WORDS.get(word, word)}{of}"


def _class_shift(window: WindowSum, level: float, alike: float) -> tuple[SignalShift, ...]:
    rows, distance = int(window.classes.sum()), class_shift(window)
    if rows < LEAST_ROWS or len(window.classes) < 2 or distance is None:
        return ()
    reference = np.asarray(window.bins.classes)
    chance = distance_bound(reference, rows / alike, level, is_ordered=False)
    return (_shift(CLASSES, distance, chance, reference, window.classes, rows),)


def _dependence(window: WindowSum, rows: int, alike: float) -> float:
    """Rows that tell as much as one, where but a part of them was measured, drawn by chance."""
    return 1 + (alike - 1) * min(1.0, rows / max(1, window.rows))


def _shift(name: str, distance: float, chance: float, reference: object, counts: object, rows: int) -> SignalShift:
    then, now = np.asarray(reference), np.asarray(counts)
    return SignalShift(name, distance, chance, population_stability(then, now), jensen_shannon(then, now), rows)
