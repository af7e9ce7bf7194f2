"""What is read off a .pte, and how weights are followed to the products that use them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from edgekit.ir.artifact import Operator, Placement

Ref = tuple[int, int]
"""A value: the delegate call that it is inside of (-1 for none), and its number there."""


@dataclass(frozen=True)
class PteWeight:
    """A constant in the file."""

    key: str
    """Where its data lies in the file: operators that share it name the same."""
    elements: int
    integer: bool
    """Whether it is stored in eight bits or fewer."""


class PteOperator(Protocol):
    """One operator that the file runs, inside a delegate or not."""

    @property
    def operator(self) -> Operator: ...

    @property
    def constants(self) -> Mapping[Ref, PteWeight]:
        """Those of the values it reads that lie in the file."""
        ...

    @property
    def reads(self) -> tuple[Ref, ...]: ...

    @property
    def writes(self) -> tuple[Ref, ...]: ...

    @property
    def factors(self) -> tuple[Ref, ...]:
        """What it multiplies, if it is a convolution or a product of matrices."""
        ...


@dataclass(frozen=True)
class PteFacts:
    """Who runs what, and the share of the weight elements that are stored as integers."""

    placement: Placement
    integer: float


def facts(steps: Iterable[PteOperator]) -> PteFacts:
    """Of everything that a file runs, in order."""
    ordered = tuple(steps)
    return PteFacts(Placement(tuple(step.operator for step in ordered)), integer_share(weights(ordered)))


def weights(steps: Iterable[PteOperator]) -> Iterator[PteWeight]:
    """The constants that convolutions and products of matrices multiply by.

    Some reach their product only after they were dequantized, transposed or expanded: what is computed from constants
    alone stands for them.
    """
    origins: dict[Ref, frozenset[PteWeight]] = {}
    for step in steps:
        origins.update({ref: frozenset({weight}) for ref, weight in step.constants.items()})
        sources = [origins.get(ref, frozenset()) for ref in step.reads]
        if sources and all(sources):
            origins.update({ref: frozenset().union(*sources) for ref in step.writes})
        for ref in step.factors:
            yield from origins.get(ref, frozenset())


def integer_share(found: Iterable[PteWeight]) -> float:
    """Share of the weight elements stored as integers, each weight counted once; 0 where there are none."""
    stored = {weight.key: weight for weight in found}.values()
    total = sum(weight.elements for weight in stored)
    return sum(weight.elements for weight in stored if weight.integer) / total if total else 0.0
