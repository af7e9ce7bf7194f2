"""Checkpoint of a training in one file, written atomically: tensors by safetensors, numbers in its header."""

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
    """Score of a network on the validation split."""

    value: float
    """Share of right answers; minus the loss, if the labels are not classes."""
    loss: float

    def beats(self, other: ValidationScore) -> bool:
        return (self.value, -self.loss) > (other.value, -other.loss)


@dataclass(frozen=True)
class Progress:
    """Progress of a training after whole epochs."""

    epochs: int
    steps: int
    seconds: float
    best: ValidationScore
    first_loss: float
    """Mean loss of the first steps, against which a loss that explodes is judged."""
    ended: str = ""
    """Reason why training is over; empty while it goes on."""


@dataclass(frozen=True)
class Checkpoint:
    """Training at the end of an epoch, from which it can be continued."""

    progress: Progress
    tensors: Mapping[str, Tensor]
    """Tensors by prefix and parameter name: `now.*` current, `best.*` best so far, `momentum.*` of the optimizer."""

    def part(self, prefix: str) -> dict[str, Tensor]:
        """Tensors under one of the prefixes, by names without it."""
        start = f"{prefix}."
        return {name.removeprefix(start): value for name, value in self.tensors.items() if name.startswith(start)}

    def write(self, folder: Path, training: str) -> None:
        """Replace the checkpoint in `folder`.

        training: the name that tells one training from another. Raises StorageError.
        """
        header = {"training": training, "progress": json.dumps(asdict(self.progress))}
        tensors = {name: value.detach().clone().contiguous() for name, value in self.tensors.items()}
        atomic.write(folder / FILE, save(tensors, header))


def read(folder: Path, training: str) -> Checkpoint | None:
    """Read the checkpoint in `folder`; None if there is none, if it is damaged, or if it is of another training."""
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
    """Copies of the tensors, which training does not change."""
    return {name: torch.clone(value.detach()) for name, value in tensors.items()}
