"""Where training stands, in one file that is whole or not there: tensors by safetensors, numbers in its header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from edgekit import atomic

FILE = "training.safetensors"


@dataclass(frozen=True)
class ValidationScore:
    """How a network does on the validation split."""

    value: float
    """Share of right answers; where labels are no classes, minus the loss."""
    loss: float

    def beats(self, other: ValidationScore) -> bool:
        return (self.value, -self.loss) > (other.value, -other.loss)


@dataclass(frozen=True)
class Progress:
    """What training has come to after whole epochs."""

    epochs: int
    steps: int
    seconds: float
    best: ValidationScore
    first_loss: float
    """Mean loss of the first steps: what a loss that explodes is held against."""
    ended: str = ""
    """Why training is over; empty while it goes on."""


@dataclass(frozen=True)
class Checkpoint:
    progress: Progress
    tensors: Mapping[str, Tensor]
    """`now.*` the network, `best.*` the best so far, `momentum.*` the optimizer's, by parameter name."""

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors under one of the prefixes, without it."""
        start = f"{prefix}."
        return {name.removeprefix(start): value for name, value in self.tensors.items() if name.startswith(start)}

    def write(self, folder: Path, training: str) -> None:
        """Replace the checkpoint in `folder`. `training` tells one training from another. Raises StorageError."""
        header = {"training": training, "progress": json.dumps(asdict(self.progress))}
        tensors = {name: value.detach().clone().contiguous() for name, value in self.tensors.items()}
        atomic.write(folder / FILE, save(tensors, header))


def read(folder: Path, training: str) -> Checkpoint | None:
    """The checkpoint in `folder`, or None: there is none, it is damaged, or it is of another training."""
    try:
        with safe_open(folder / FILE, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("training") != training:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        numbers = json.loads(header["progress"])
        progress = Progress(**{**numbers, "best": ValidationScore(**numbers["best"])})
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None
    return Checkpoint(progress, tensors)


def copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, which training no longer changes."""
    return {name: torch.clone(value.detach()) for name, value in tensors.items()}
