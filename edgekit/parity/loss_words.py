"""Words on a loss by its interval."""

from __future__ import annotations


def loss_words(low: float, high: float) -> str:
    """Say by the bounds of a loss what compression changed: a loss is above 0, a gain below."""
    if low > 0:
        return "it has become worse"
    return "it has become better" if high < 0 else "no change shows"
