"""Corrections for many tests at once: Holm's and Benjamini and Hochberg's adjusted p-values."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array


def holm(p: Array) -> Array:
    """Adjusted p-values, float64 [K], of p-values float [K] (Holm 1979).

    Rejecting those at most alpha errs on any true hypothesis with a chance of at most alpha, however the tests depend
    on each other.
    """
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _in_place(np.minimum(stepped, 1.0), order)


def benjamini_hochberg(p: Array) -> Array:
    """Adjusted p-values, float64 [K], of p-values float [K] (Benjamini & Hochberg 1995).

    Of those at most alpha, a share of at most alpha is expected to be true hypotheses, if the tests are independent or
    positively dependent.
    """
    order = np.argsort(p, kind="stable")
    raised = p[order] * len(p) / np.arange(1, len(p) + 1)
    return _in_place(np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0), order)


def _in_place(ordered: Array, order: Array) -> Array:
    adjusted = np.empty(len(ordered))
    adjusted[order] = ordered
    return adjusted
