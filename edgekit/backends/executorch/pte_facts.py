"""Facts of a .pte file: placement, and the weights as they are stored.

Weights are followed from the file to the products that use them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Protocol

from edgekit.ir.artifact import Fragments, Operator, Placement
from edgekit.ir.stored_weights import StoredWeight, StoredWeights, is_matrix, stored_weights

BITS = {"float64": 64, "float32": 32, "float16": 16, "bfloat16": 16, "int8": 8, "uint8": 8, "int4": 4}
"""Bits of an element, by the data types that a weight may have: others are indices, shapes and masks."""

Ref = tuple[int, int]
"""Reference to a value: the delegate call that contains it (-1 for none), and its number there."""


@dataclass(frozen=True)
class PteWeight:
    """Constant in the file."""

    key: str
    """Location of its data in the file, equal for operators that share it."""
    shape: tuple[int, ...]
    dtype: str
    """Name of its data type: `float32`, `int8`, `int4` …"""

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def stored(self) -> StoredWeight:
        return StoredWeight(self.key, self.elements, self.elements * BITS[self.dtype] // 8, "int" in self.dtype)


class PteOperator(Protocol):
    """One operator that the file runs, inside a delegate or on a portable kernel."""

    @property
    def operator(self) -> Operator:
        """Its name, delegate and work."""
        ...

    @property
    def constants(self) -> Mapping[Ref, PteWeight]:
        """Values that it reads from the file, but for scales and zero points."""
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
        """Factors of its product, if it is a convolution or a matrix product."""
        ...


@dataclass(frozen=True)
class PteFacts:
    """Placement of the operators, and the weights of the file."""

    placement: Placement
    weights: StoredWeights
    fragments: Fragments | None = None
    """Calls of delegates and kernels; None if the operators alone are known."""


def facts(steps: Iterable[PteOperator]) -> PteFacts:
    """Facts of a file from its operators in execution order."""
    ordered = tuple(steps)
    stored = stored_weights(weight.stored for weight in weights(ordered) if weight.dtype in BITS)
    return PteFacts(Placement(tuple(step.operator for step in ordered)), stored)


def weights(steps: Iterable[PteOperator]) -> Iterator[PteWeight]:
    """Constants that are matrices, tables among them, and those by which products multiply.

    Some are dequantized, transposed or expanded first: a value that is computed from constants only counts as these.
    """
    origins: dict[Ref, frozenset[PteWeight]] = {}
    for step in steps:
        origins.update({ref: frozenset({weight}) for ref, weight in step.constants.items()})
        yield from (weight for weight in step.constants.values() if is_matrix(weight.shape))
        sources = [origins.get(ref, frozenset()) for ref in step.reads]
        if sources and all(sources):
            origins.update({ref: frozenset().union(*sources) for ref in step.writes})
        for ref in step.factors:
            yield from origins.get(ref, frozenset())
