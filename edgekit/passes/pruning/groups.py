"""What can be taken out of a network in one piece: channels that depend on each other, or attention heads."""

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
    """How many of the layer's channels on that side one unit of the group is."""
    total: int


class PruningGroup(Protocol):
    """Units (channels, or heads) that can go one by one, each from every layer that has it."""

    @property
    def name(self) -> str:
        """The module that makes them."""

    @property
    def size(self) -> int:
        """How many there are."""

    @property
    def step(self) -> int:
        """Units that stay come in multiples of this."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every side of a layer with multiply-accumulates that these units are on."""

    def magnitude(self) -> Tensor:
        """[size]: the squares of every unit's weights, added up."""

    def scores(self, importance: Any) -> Tensor | None:
        """[size]: what an importance of torch-pruning says of every unit, or None if it has no word on them."""

    def silence(self, module: nn.Module, units: Sequence[int]) -> None:
        """Have nothing read these units any more, in a network that still has them."""

    def remove(self, units: Sequence[int]) -> None:
        """Take units out of the network that the group was found in."""
