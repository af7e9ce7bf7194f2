"""The training data in two: what is learnt from, and what tells the best checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edgekit.errors import PassError
from edgekit.ir.measurement import Array
from edgekit.passes.recovery.augment import Augmentation, augment
from edgekit.samples import Samples, spread, stratified
from edgekit.specs.project import Project

Batch = tuple[tuple[Tensor, ...], Tensor]
"""Raw inputs in the network's order, and labels; batch first."""


@dataclass(frozen=True)
class Split:
    """A part of the training data, as the network takes it."""

    columns: tuple[Tensor, ...]
    """Raw inputs in the network's order, [N, …] each."""
    labels: Tensor
    pictures: tuple[bool, ...]
    """Which inputs are uint8 [N, height, width, channels], and may be augmented."""

    def __len__(self) -> int:
        return len(self.labels)

    def in_order(self, size: int) -> Iterator[Batch]:
        """All of it, untouched."""
        for start in range(0, len(self), size):
            stretch = slice(start, start + size)
            yield tuple(column[stretch] for column in self.columns), self.labels[stretch]

    def drawn(self, indices: Tensor, how: Sequence[Augmentation], random: torch.Generator) -> Batch:
        """These samples, augmented."""
        chosen = (column[indices] for column in self.columns)
        inputs = tuple(
            augment(values, how, random) if picture else values
            for values, picture in zip(chosen, self.pictures, strict=True)
        )
        return inputs, self.labels[indices]


def split(samples: Samples, project: Project, share: float) -> tuple[Split, Split]:
    """What is trained on, and the share that validates: of every class its part. Always the same for the same samples.

    Raises PassError if there are too few for both.
    """
    count = round(share * len(samples))
    if count < 1 or len(samples) - count < 2:
        raise PassError(
            f"{len(samples)} training samples are too few to train on some and validate on others",
            hint="[data] training in edgekit.toml must name more, or see [recover] validation in the profile",
        )
    classes = samples.labels.ndim == 1 and np.issubdtype(samples.labels.dtype, np.integer)
    held = stratified(samples.labels, count) if classes else spread(len(samples), count)
    rest = np.setdiff1d(np.arange(len(samples)), held)
    return _part(samples, project, rest), _part(samples, project, np.asarray(held))


def _part(samples: Samples, project: Project, indices: Array) -> Split:
    taken = samples.take(indices)
    columns = tuple(torch.from_numpy(np.ascontiguousarray(taken.inputs[name])) for name in project.inputs)
    pictures = tuple(spec.preprocess is not None for spec in project.inputs.values())
    return Split(columns, torch.from_numpy(taken.labels), pictures)
