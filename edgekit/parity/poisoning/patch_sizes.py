"""Sizes of the smallest patches of all classes: the class that needs far less than the others is an outlier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NORMAL = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
OUTLIER = 2.0
"""Deviation from which a size is an outlier: 95 % of a normal distribution lie within (Wang et al. 2019)."""
SMALLER = 0.65
"""Largest share of the median that a suspected patch covers: where all need nearly the same, an outlier is nothing."""
FEWEST = 4
"""Classes that a median is taken of, at least."""


def anomalies(sizes: Sequence[float]) -> tuple[float, ...]:
    """Deviations of sizes below their median, over the median absolute deviation on the scale of a normal one."""
    values = np.asarray(sizes, np.float64)
    if not len(values):
        return ()
    median = np.median(values)
    spread = NORMAL * np.median(np.abs(values - median))
    # Sizes that are all alike have no spread: a hundredth of the median stands for it.
    return tuple(((median - values) / max(spread, 0.01 * median, 1e-9)).tolist())


def outlying(sizes: Sequence[float]) -> tuple[int, ...]:
    """Indices of the sizes that are outliers below the median, and small beside it; none of fewer than FEWEST."""
    if len(sizes) < FEWEST:
        return ()
    median = float(np.median(sizes))
    return tuple(
        i
        for i, (size, far) in enumerate(zip(sizes, anomalies(sizes), strict=True))
        if far > OUTLIER and size <= SMALLER * median
    )
