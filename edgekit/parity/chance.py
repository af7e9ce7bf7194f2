"""Limits that every verdict needs: the reference beats a constant answer, and nobody gives one answer to all."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.parity.compare import Comparison
from edgekit.samples import FEW
from edgekit.specs.profile import Bound, Gates

CONFIDENCE = 0.99
"""How sure it must be, one-sided, that the reference is better than a constant answer."""


def bounds(gates: Gates, comparison: Comparison) -> Iterator[tuple[str, Bound]]:
    """Every gate with its limits: the two that hold where the profile names none, then those that it names."""
    if gates.reference_accuracy is None and comparison.chance is not None:
        yield "reference_accuracy", Bound(min=comparison.chance, confidence=CONFIDENCE)
    if gates.distinct_answers is None:
        yield "distinct_answers", Bound(min=2)
    yield from gates.named()


def is_by_chance(bound: Bound, comparison: Comparison) -> bool:
    """Whether the reference is no better than the constant answer that `bound` is of, on samples enough to say so.

    A test of the interval alone would leave open what was never any better.
    """
    return bound.min == comparison.chance and comparison.is_by_chance and comparison.samples >= FEW


def fewest_answers(comparison: Comparison) -> int:
    """Different answers of the endpoint that gave fewer."""
    return min(comparison.reference.distinct_answers, comparison.candidate.distinct_answers)
