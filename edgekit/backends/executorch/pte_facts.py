"""Facts of a .pte file: placement, and the share of integer weights.

Weights are followed from the file to the products that use them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from edgekit.ir.artifact import Operator, Placement

Ref = tuple[int, int]
"""Reference to a value: the delegate call that contains it (-1 for none), and its number there."""


@dataclass(frozen=True)
class PteWeight:
    """Constant in the file."""

    key: str
    """Location of its data in the file, equal for operators that share it."""
    elements: int
    integer: bool
    """True if it is stored in 8 bits or fewer."""


class PteOperator(Protocol):
    """One operator that the file runs, inside a delegate or on a portable kernel."""

    @property
    def operator(self) -> Operator:
        """Its name, delegate and work."""
        ...

    @property
    def constants(self) -> Mapping[Ref, PteWeight]:
        """Values that it reads from the file."""
        ...

    @property
    def reads(self) -> tuple[Ref, ...]:
        """Values that it reads."""
        ...

    @property
    def writes(self) -> tuple[Ref, ...]:
        """Values that it writes."""
        ...

    @property
    def factors(self) -> tuple[Ref, ...]:
        """Factors of its product, if it is a convolution or a matrix product; else empty."""
        ...


@dataclass(frozen=True)
class PteFacts:
    """Placement of the operators, and the share of the weight elements that are stored as integers."""

    placement: Placement
    integer: float


def facts(steps: Iterable[PteOperator]) -> PteFacts:
    """Facts of a file from its operators in execution order."""
    ordered = tuple(steps)
    return PteFacts(Placement(tuple(step.operator for step in ordered)), integer_share(weights(ordered)))


def weights(steps: Iterable[PteOperator]) -> Iterator[PteWeight]:
    """Constants by which convolutions and matrix products multiply.

    Some are dequantized, transposed or expanded first: a value that is computed from constants only counts as these.
    """
    origins: dict[Ref, frozenset[PteWeight]] = {}
    for step in steps:
        origins.update({ref: frozenset({weight}) for ref, weight in step.constants.items()})
        sources = [origins.get(ref, frozenset()) for ref in step.reads]
        if sources and all(sources):
            origins.update({ref: frozenset().union(*sources) for ref in step.writes})
        for ref in step.factors:
            yield from origins.get(ref, frozenset())


def integer_share(multiplied: Iterable[PteWeight]) -> float:
    """Share of the weight elements stored as integers, each weight counted once; 0 where there are none."""
    stored = {weight.key: weight for weight in multiplied}.values()
    total = sum(weight.elements for weight in stored)
    return sum(weight.elements for weight in stored if weight.integer) / total if total else 0.0
