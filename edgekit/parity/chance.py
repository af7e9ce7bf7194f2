"""Limits that every verdict needs: the reference beats a constant answer, and nobody gives one answer to all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from edgekit.parity.compare import Comparison
from edgekit.samples import FEW
from edgekit.specs.profile import Bound, Gates

CONFIDENCE = 0.99
"""How sure it must be, one-sided, that the reference is better than a constant answer."""
CHANCE = "chance"
"""Stands for a number that is known once answers were measured: `Comparison.chance`."""
Limits = Mapping[str, float | str]
"""By the fields of a `Bound`."""
DEFAULTS: Mapping[str, Limits] = MappingProxyType(
    {"reference_accuracy": {"min": CHANCE, "confidence": CONFIDENCE}, "distinct_answers": {"min": 2}}
)


def defaults(gates: Gates) -> dict[str, Limits]:
    """The gates that hold because the profile does not name them, with their limits."""
    return {name: limits for name, limits in DEFAULTS.items() if getattr(gates, name) is None}


def bounds(gates: Gates, comparison: Comparison) -> Iterator[tuple[str, Bound]]:
    """Every gate with its limits: the two that hold where the profile names none, then those that it names."""
    for name, limits in defaults(gates).items():
        bound = {limit: comparison.chance if value == CHANCE else value for limit, value in limits.items()}
        if None not in bound.values():
            yield name, Bound.model_validate(bound)
    yield from gates.named()


def is_by_chance(bound: Bound, comparison: Comparison) -> bool:
    """Whether the reference is no better than the constant answer that `bound` is of, on samples enough to say so.

    A test of the interval alone would leave open what was never any better.
    """
    return bound.min == comparison.chance and comparison.is_by_chance and comparison.samples >= FEW


def fewest_answers(comparison: Comparison) -> int:
    """Different answers of the endpoint that gave fewer."""
    return min(comparison.distinct_answers)
