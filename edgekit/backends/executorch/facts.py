"""What is read off a .pte."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgekit.ir.artifact import Placement


@dataclass(frozen=True)
class Weight:
    """A constant that a convolution or a product of matrices multiplies by."""

    key: str
    """Where its data lies in the file: two operators that share it name the same."""
    elements: int
    integer: bool


@dataclass(frozen=True)
class Facts:
    """Who runs what, and the share of the weight elements that are stored as integers."""

    placement: Placement
    integer: float


def integer_share(weights: Iterable[Weight]) -> float:
    """Share of the weight elements stored as integers, each weight counted once; 0 where there are none."""
    stored = {weight.key: weight for weight in weights}.values()
    total = sum(weight.elements for weight in stored)
    return sum(weight.elements for weight in stored if weight.integer) / total if total else 0.0
