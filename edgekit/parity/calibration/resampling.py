"""Paired bootstrap of calibration errors: the same samples are drawn for the reference and for the candidate.

Bins stay where the measurement puts them, so every figure is a function of sums over samples. Of few samples the sums
are drawn as a bootstrap does. Of many they are normal, by the central limit theorem, and are drawn from the normal
distribution of the same mean and covariance: a million samples take seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.calibration.decisions import BINS, Decisions, mass_bins, width_bins
from edgekit.parity.statistics.bootstrap import SEED

FIGURES = ("ece", "adaptive_ece", "brier", "nll")
"""Names of the figures, in the order in which `figures` gives them."""
EXACT = 4096
"""Most samples whose sums are drawn one by one."""
RESAMPLES = 2000
_SIDE = 2 * BINS + 2
"""Columns of one endpoint: gaps of both kinds of bins, Brier scores, logarithmic losses."""
_CELLS = 4_000_000
"""Numbers that are held at once: 32 MB."""


@dataclass(frozen=True)
class _EndpointColumns:
    """Columns of one endpoint: for each decision four of them, and what it adds there."""

    places: tuple[Array, ...]
    values: tuple[Array, ...]

    @classmethod
    def of(cls, side: Decisions) -> _EndpointColumns:
        gap, means = side.outcome - side.confidence, np.full(len(side.confidence), 2 * BINS)
        places = (width_bins(side.confidence), mass_bins(side.confidence) + BINS, means, means + 1)
        return cls(places, (gap, gap, side.brier, side.nll))


class PairedSums:
    """Sums over the decisions of the same samples by both endpoints, from which figures follow."""

    def __init__(self, reference: Decisions, candidate: Decisions) -> None:
        self._sides = (_EndpointColumns.of(reference), _EndpointColumns.of(candidate))
        members, self._sample = np.unique(reference.sample, return_inverse=True)
        self.samples = len(members)
        self.whole = self._moments()[0]
        """Sums over all samples, float64 [columns]."""

    def draws(self, resamples: int = RESAMPLES) -> Array:
        """Sums over resampled sets of samples, float64 [resamples, columns]. The seed is fixed."""
        rng = np.random.default_rng(SEED)
        if self.samples > EXACT:
            return self._normal(rng, resamples)
        block = self._block(0, self.samples)
        at_once = max(1, _CELLS // self.samples)
        parts = []
        for start in range(0, resamples, at_once):
            count = min(at_once, resamples - start)
            drawn = rng.integers(0, self.samples, (count, self.samples))
            drawn += self.samples * np.arange(count)[:, None]
            weights = np.bincount(drawn.ravel(), minlength=count * self.samples).reshape(count, self.samples)
            parts.append(weights.astype(np.float64) @ block)
        return np.concatenate(parts)

    def _normal(self, rng: np.random.Generator, resamples: int) -> Array:
        total, second = self._moments()
        covariance = second - np.outer(total, total) / self.samples
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        return np.asarray(total + rng.standard_normal((resamples, len(total))) @ root.T)

    def _moments(self) -> tuple[Array, Array]:
        """Sums of the columns over samples, and of their products."""
        width = 2 * _SIDE + 1
        total, second = np.zeros(width), np.zeros((width, width))
        at_once = _CELLS // (4 * width)
        for start in range(0, self.samples, at_once):
            block = self._block(start, min(start + at_once, self.samples))
            total += block.sum(axis=0)
            if self.samples > EXACT:
                second += block.T @ block
        return total, second

    def _block(self, start: int, stop: int) -> Array:
        """Columns of the samples from `start` to `stop`, float64 [samples, columns]; the last one counts decisions."""
        width = 2 * _SIDE + 1
        first, last = np.searchsorted(self._sample, (start, stop))
        rows = (self._sample[first:last] - start) * width
        block = np.bincount(rows + width - 1, minlength=(stop - start) * width).astype(np.float64)
        for offset, side in zip((0, _SIDE), self._sides, strict=True):
            for place, value in zip(side.places, side.values, strict=True):
                block += np.bincount(rows + offset + place[first:last], value[first:last], len(block))
        return block.reshape(-1, width)


def figures(sums: Array) -> tuple[Array, Array]:
    """Figures of the reference and of the candidate, float64 [draws, 4] each, of sums [draws, columns]."""
    sides = (sums[:, :_SIDE], sums[:, _SIDE : 2 * _SIDE])
    ours, theirs = (_of_side(side, sums[:, -1]) for side in sides)
    return ours, theirs


def _of_side(side: Array, count: Array) -> Array:
    errors = [np.abs(side[:, start : start + BINS]).sum(axis=1) for start in (0, BINS)]
    return np.stack([*errors, side[:, 2 * BINS], side[:, 2 * BINS + 1]], axis=1) / count[:, None]
