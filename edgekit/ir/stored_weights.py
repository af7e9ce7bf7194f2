"""Weights as a file stores them: the share that is held as small integers, and their bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class StoredWeight:
    """Weight in the file of an artifact: a constant that is not as small as a bias."""

    key: str
    """Location of its data in the file, equal for operators that share it."""
    elements: int
    bytes: int
    """Bytes of its data in the file, without scales and zero points."""
    integer: bool
    """True if it is stored in integers of 8 bits or fewer."""


@dataclass(frozen=True)
class StoredWeights:
    """Every weight of a file, each once."""

    weights: tuple[StoredWeight, ...]

    @property
    def integer_share(self) -> float:
        """Share of the elements that are stored in integers of 8 bits or fewer, in [0, 1]; 0 without weights."""
        total = sum(weight.elements for weight in self.weights)
        return sum(weight.elements for weight in self.weights if weight.integer) / total if total else 0.0

    def without(self, fixed: Iterable[int]) -> StoredWeights:
        """Leave out one weight in float for each number of elements in `fixed`: what no recipe may touch."""
        left = list(self.weights)
        for elements in fixed:
            match = next((weight for weight in left if weight.elements == elements and not weight.integer), None)
            if match:
                left.remove(match)
        return StoredWeights(tuple(left))

    @property
    def bytes(self) -> int:
        """Bytes of all weights; what is left of the file is graph, biases, scales and names."""
        return sum(weight.bytes for weight in self.weights)


def stored_weights(weights: Iterable[StoredWeight]) -> StoredWeights:
    """Collect weights that operators read: one that several read is counted once."""
    return StoredWeights(tuple({weight.key: weight for weight in weights}.values()))


def is_matrix(shape: Sequence[int]) -> bool:
    """True if more than one axis is longer than 1. A vector is a bias, a norm's gain or a scale, also one in which
    numbers are looked up: no recipe makes it smaller. The factor of a product is a weight whatever its shape.
    """
    return sum(length > 1 for length in shape) > 1
