"""Sum of windows of one bundle: windows are merged by addition, of one device or of many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.devices.windows import AnswerCounts
from edgekit.ir.measurement import Array
from edgekit.runner.counts.bins import FrozenBins

TEXTURE = 100
"""Pairs of neighbours in time from which on it is told how much alike they are."""
MOST_ALIKE = 50.0


@dataclass(frozen=True)
class WindowSum:
    """Counts of windows together."""

    bins: FrozenBins
    begun: int
    """Time of the first by its device's clock, and of the last one's end, in seconds since 1970."""
    ended: int
    rows: int
    input_rows: int
    above: int
    confidence: int
    squares: int
    pairs: int
    changes: int
    unusable: int
    few: int
    classes: Array
    """int64 [classes]."""
    signals: dict[str, Array]
    """int64 [bins] by name."""

    @classmethod
    def of(cls, bins: FrozenBins, windows: Sequence[AnswerCounts]) -> WindowSum:
        """Add windows up. Raises ValueError if one does not fit the bins."""
        classes = np.zeros(len(bins.classes), np.int64)
        signals = {name: np.zeros(len(each.counts), np.int64) for name, each in bins.signals.items()}
        for window in windows:
            for number, count in window.classes.items():
                if int(number) >= len(classes):
                    raise ValueError(f"class {number} is unknown to the bins")
                classes[int(number)] += count
            for name, counts in window.signals.items():
                if name not in signals or len(counts) != len(signals[name]):
                    raise ValueError(f"signal '{name}' does not fit the bins")
                signals[name] += np.asarray(counts, np.int64)

        def whole(name: str) -> int:
            return sum(getattr(window, name) for window in windows)

        summed = ("rows", "input_rows", "above", "confidence", "squares", "pairs", "changes", "unusable", "few")
        return cls(
            bins=bins,
            begun=min((window.begun for window in windows), default=0),
            ended=max((window.begun + int(window.seconds) for window in windows), default=0),
            classes=classes,
            signals=signals,
            **{name: whole(name) for name in summed},
        )

    @property
    def usable(self) -> int:
        """Answers that were finite."""
        return self.rows - self.unusable

    @property
    def alike(self) -> float:
        """Number of successive answers that tell as much as one independent answer: 1 where they are independent.

        By the autocorrelation r of neighbours, (1 + r) / (1 - r): the length of a block.
        """
        share = self.above / self.usable if self.usable else 0.0
        expected = 2 * share * (1 - share) * self.pairs
        if self.pairs < TEXTURE or expected <= 0:
            return 1.0
        correlation = min(max(0.0, 1 - self.changes / expected), 0.999)
        return min(MOST_ALIKE, (1 + correlation) / (1 - correlation))


def judged_windows(bins: FrozenBins, windows: Iterable[AnswerCounts], rows: int) -> tuple[list[WindowSum], int]:
    """Windows in the order of their time, joined until each has `rows` answers; and the rows that are left over."""
    ordered = sorted(windows, key=lambda window: (window.begun, window.number))
    judged, part, count = [], list[AnswerCounts](), 0
    for window in ordered:
        part.append(window)
        count += window.rows - window.unusable
        if count >= rows:
            judged.append(WindowSum.of(bins, part))
            part, count = [], 0
    return judged, count
