"""An architecture of the table: its network, its samples, and what makes its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from scripts.coverage_table.samples import Arrays

Task = Literal["classification", "super-resolution", "denoising", "none"]


@dataclass(frozen=True)
class Architecture:
    """One row of the table."""

    name: str
    note: str
    """Size, and what differs from the architecture of that name."""
    make: Callable[[], nn.Module]
    """Makes the network with random weights. One with a layer `head` gets that layer fitted to the labels."""
    samples: Callable[[int, int], Arrays]
    """Samples by count and seed: an array [N, …] for each input in the order of `forward`, and `labels` if any."""
    task: Task = "none"
    steps: int = 0
    """Steps of training; without any, weights are random but for the head."""
    rate: float = 3e-3
    """Largest learning rate."""
    slow: tuple[str, ...] = ()
    """Modules that learn at a twentieth of it, for they sum hundreds of like values."""
    bfloat16: bool = False
    """Multiplies in bfloat16 as it trains: half of the time, for networks that train longest."""
    state: tuple[str, ...] = ()
    """Lines of `[state]`; samples are sequences [N, T, …] then."""
    outputs: tuple[str, ...] = ()
    """Names of the outputs, where state needs them."""
    calibration: int = 24
    """Samples that calibrate; half of them judge a repair, which agreement alone decides from a hundred on."""
    evaluation: int = 48
    """Held-out samples."""

    @property
    def weights(self) -> str:
        """Origin of the weights, in words."""
        if self.steps:
            return "trained"
        return "random, head fitted" if self.task == "classification" else "random"
