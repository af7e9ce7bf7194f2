"""Default gates of every verdict: the reference is better than chance, and neither endpoint gives one answer to all."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Protocol

from edgekit.parity.comparison import Comparison
from edgekit.specs.profile import Bound, Gates
from edgekit.stratification import FEW
from edgekit.tasks.metric import Metric

CONFIDENCE = 0.99
"""One-sided confidence at which the reference must be better than a constant answer."""
CHANCE = "chance"
"""Placeholder for `Comparison.chance`, which is known once answers were measured."""


class KnownChance(Protocol):
    """Protocol of what knows its metric, and what one constant answer reaches by it."""

    @property
    def metric(self) -> Metric: ...
    @property
    def chance(self) -> float | None: ...


Limits = Mapping[str, float | str]
"""Limits of a gate, by field of `Bound`."""
DEFAULTS: Mapping[str, Limits] = MappingProxyType(
    {"reference_accuracy": {"min": CHANCE, "confidence": CONFIDENCE}, "distinct_answers": {"min": 2}}
)


def defaults(gates: Gates, governed: Collection[str] = ()) -> dict[str, Limits]:
    """Default gates that the profile does not name, with their limits.

    governed: gates on the data sets that hold where they are not named (`data.gate_readings.default_gates`).
    """
    limits: dict[str, Limits] = {**DEFAULTS, **{name: {"max": 0.0} for name in governed}}
    return {name: limit for name, limit in limits.items() if getattr(gates, name) is None}


def bounds(gates: Gates, comparison: KnownChance, governed: Collection[str] = ()) -> Iterator[tuple[str, Bound]]:
    """Yield every gate with its limits: the default ones that the profile does not name, then those that it names.

    governed: as `defaults` takes it.
    """
    for name, limits in defaults(gates, governed).items():
        worst = "min" if comparison.metric.higher_is_better else "max"
        bound = {
            worst if value == CHANCE else limit: comparison.chance if value == CHANCE else value
            for limit, value in limits.items()
        }
        if None not in bound.values():
            yield name, Bound.model_validate(bound)
    yield from gates.named()


def is_by_chance(bound: Bound, comparison: Comparison) -> bool:
    """True if the reference is no better than the constant answer that `bound` is of, on enough samples to say so.

    The interval alone would leave a reference undecided that is exactly as good as chance.
    """
    limit = bound.min if comparison.metric.higher_is_better else bound.max
    return limit == comparison.chance and comparison.is_by_chance and comparison.samples >= FEW


def fewest_answers(comparison: Comparison) -> int:
    """Number of different answers of the endpoint that gave fewer."""
    return min(comparison.distinct_answers)
