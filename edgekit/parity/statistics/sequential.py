"""Sequential looks at a growing number of samples, whose errors together stay within the stated one.

The error is spent look by look (Lan & DeMets 1983): a bound at a look is at a higher confidence than the stated one, so
that the chance that any of them misses the true value is that of one bound after all samples. Bounds made so hold
together at all looks (Jennison & Turnbull 1989), whatever the reason to stop at one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.statistics.estimate import normal_quantile, normal_share

FRACTIONS = (1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2, 3 / 4, 1.0)
"""Shares of the samples after which a look is taken."""
FEWEST = 50
"""Fewest samples of a look: of fewer, no score test errs as rarely as it says."""
SPENDING = 1.0
"""Power of the share of samples that gives the share of the error spent by then (Kim & DeMets 1987)."""
_NODES = 400
_FAR = 9.0
"""Standard deviations beyond which nothing of a normal distribution lies."""
_HALVINGS = 60


def look_counts(total: int) -> tuple[int, ...]:
    """Numbers of samples, ascending, after which a set of `total` samples is looked at; the last is `total`."""
    counts = {math.ceil(total * fraction) for fraction in FRACTIONS}
    return (*sorted(count for count in counts if FEWEST <= count < total), total)


def look_confidences(counts: Sequence[int], confidence: float) -> tuple[float, ...]:
    """One-sided confidence of the bound at each look, so that all of them hold together with `confidence`.

    counts: numbers of samples at the looks, ascending; the last is that of all samples.
    """
    fractions = tuple(count / counts[-1] for count in counts)
    return tuple(normal_share(bound) for bound in spending_bounds(fractions, 1 - confidence))


@cache
def spending_bounds(fractions: tuple[float, ...], error: float, power: float = SPENDING) -> tuple[float, ...]:
    """Standard normal bounds of looks at `fractions` of the samples, ascending to 1, that spend `error` in all.

    By the recursive integration of Armitage, McPherson & Rowe (1969) over the sum of what was seen, a Brownian motion.
    """
    spent = [error * fraction**power for fraction in fractions]
    bounds = [normal_quantile(1 - spent[0])]
    nodes, weights = _nodes(fractions[0], bounds[0] * math.sqrt(fractions[0]))
    mass = weights * _density(nodes, fractions[0])
    for k in range(1, len(fractions)):
        step = fractions[k] - fractions[k - 1]
        bound = _exceeded(nodes, mass, step, spent[k] - spent[k - 1], fractions[k])
        bounds.append(bound / math.sqrt(fractions[k]))
        ends, weights = _nodes(fractions[k], bound)
        mass = weights * (_density(ends[:, None] - nodes[None], step) @ mass)
        nodes = ends
    return tuple(bounds)


def _exceeded(nodes: Array, mass: Array, step: float, error: float, fraction: float) -> float:
    """Bound that the sum exceeds with the chance `error` after a step of variance `step`, having passed none before."""
    low, high = -_FAR * math.sqrt(fraction), _FAR * math.sqrt(fraction)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        beyond = sum(0.5 * math.erfc(x) * m for x, m in zip((middle - nodes) / math.sqrt(2 * step), mass, strict=True))
        low, high = (middle, high) if beyond > error else (low, middle)
    return high


def _nodes(variance: float, bound: float) -> tuple[Array, Array]:
    """Nodes and weights of Gauss and Legendre's integration from far below to `bound`."""
    points, weights = _legendre()
    low = -_FAR * math.sqrt(variance)
    half = (bound - low) / 2
    return low + half * (points + 1), weights * half


@cache
def _legendre() -> tuple[Array, Array]:
    return np.polynomial.legendre.leggauss(_NODES)


def _density(distance: Array, variance: float) -> Array:
    return np.asarray(np.exp(-(distance**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance))
