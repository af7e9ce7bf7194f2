"""Split of the training data: a part to train on, and a validation split that decides on the best checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edgekit.errors import PassError
from edgekit.ir.measurement import Array
from edgekit.passes.recovery.augment import Augmentation, augment
from edgekit.samples import Samples
from edgekit.specs.project import Project
from edgekit.stratification import spread, stratified

Batch = tuple[tuple[Tensor, ...], Tensor]
"""Raw inputs in the network's order, and labels; the batch is axis 0."""


@dataclass(frozen=True)
class Split:
    """Part of the training data, as tensors in the network's order."""

    columns: tuple[Tensor, ...]
    """Raw inputs in the network's order, [N, …] each."""
    labels: Tensor
    pictures: tuple[bool, ...]
    """True for each input that holds pictures, uint8 [N, height, width, channels], which may be augmented."""

    def __len__(self) -> int:
        return len(self.labels)

    def in_order(self, size: int) -> Iterator[Batch]:
        """Batches of `size` samples in order, not augmented."""
        for start in range(0, len(self), size):
            stretch = slice(start, start + size)
            yield tuple(column[stretch] for column in self.columns), self.labels[stretch]

    def drawn(self, indices: Tensor, how: Sequence[Augmentation], random: torch.Generator) -> Batch:
        """Batch of the samples at `indices`, augmented."""
        chosen = (column[indices] for column in self.columns)
        inputs = tuple(
            augment(values, how, random) if picture else values
            for values, picture in zip(chosen, self.pictures, strict=True)
        )
        return inputs, self.labels[indices]


def split(samples: Samples, project: Project, share: float) -> tuple[Split, Split]:
    """Split samples into a training and a validation part, stratified by class; the same for the same samples.

    share: the validation part, in (0, 1). Raises PassError if there are too few samples for both.
    """
    count = round(share * len(samples))
    if count < 1 or len(samples) - count < 2:
        raise PassError(
            f"{len(samples)} training samples are too few to train on some and validate on others",
            hint="[data] training in edgekit.toml must name more, or see [recover] validation in the profile",
        )
    classes = samples.labels.ndim == 1 and np.issubdtype(samples.labels.dtype, np.integer)
    validating = stratified(samples.labels, count) if classes else spread(len(samples), count)
    rest = np.setdiff1d(np.arange(len(samples)), validating)
    return _part(samples, project, rest), _part(samples, project, np.asarray(validating))


def _part(samples: Samples, project: Project, indices: Array) -> Split:
    part = samples.take(indices)
    columns = tuple(torch.from_numpy(np.ascontiguousarray(part.inputs[name])) for name in project.inputs)
    pictures = tuple(spec.preprocess is not None for spec in project.inputs.values())
    return Split(columns, torch.from_numpy(part.labels), pictures)
