"""Words on a loss by its interval."""

from __future__ import annotations

from edgekit.parity.gate_texts import points

SLIGHT = 0.001
"""Loss below which a change is no matter, however sure it is: a tenth of a point."""


def loss_words(low: float, high: float) -> str:
    """Say by the bounds of a loss what compression changed: a loss is above 0, a gain below."""
    if low <= 0 <= high:
        return "no change shows"
    if max(abs(low), abs(high)) < SLIGHT:
        return f"it has changed by less than {points(SLIGHT)}"
    slightly = "slightly " if abs(low + high) / 2 < SLIGHT else ""
    return f"it has become {slightly}{'worse' if low > 0 else 'better'}"
