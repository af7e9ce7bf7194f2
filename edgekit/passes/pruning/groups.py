"""Protocol of a pruning group: channels that depend on each other, or attention heads, which are removed together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import Tensor, nn


@dataclass(frozen=True)
class Part:
    """One side of a layer that a group reaches."""

    layer: str
    side: Literal["in", "out"]
    per_unit: float
    """Channels of the layer, on that side, that one unit of the group stands for."""
    total: int


class PruningGroup(Protocol):
    """Units (channels, or attention heads) that can be pruned one by one, each from every layer that holds it.

    To add a kind of group:

    1. Write a frozen dataclass with these members. Units are numbered from 0 to `size - 1`.
    2. Zero in `silence` all that reads the units; the network keeps its shape. Remove the units in `remove`.
    3. Yield the groups of a network in `prunable_groups.candidate_groups`. A group is pruned only if a network without
       some of its units answers as one in which they are silent.

    `heads.Attention` is an example of 70 lines.
    """

    @property
    def name(self) -> str:
        """Name of the module that computes the units."""

    @property
    def size(self) -> int:
        """Number of units."""

    @property
    def step(self) -> int:
        """Multiple in which units stay."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """Sides of layers with multiply-accumulates that hold these units."""

    def magnitude(self) -> Tensor:
        """Sum of the squares of every unit's weights, [size]."""

    def scores(self, importance: Any) -> Tensor | None:
        """Score of every unit by an importance of torch-pruning, [size]; None if it cannot score them."""

    def silence(self, module: nn.Module, units: Sequence[int]) -> None:
        """Zero the weights that read these units, in `module`, a copy of the network with all its units."""

    def remove(self, units: Sequence[int]) -> None:
        """Remove units, in place, from the network that the group belongs to."""
