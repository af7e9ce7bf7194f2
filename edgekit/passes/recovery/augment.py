"""Data augmentation of training pictures, uint8 [N, height, width, channels]: horizontal flips and shifts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Augmentation = Literal["flip", "shift"]
REACH = 8
"""Largest shift: this fraction (an eighth) of height and width, 4 pixels of 32 (He et al. 2015, section 4.2)."""


def augment(pictures: Tensor, how: Sequence[Augmentation], random: torch.Generator) -> Tensor:
    """Augment each picture at random: a new array of the same shape.

    how: the augmentations to apply. random: the generator of all draws.
    """
    if "flip" in how:
        pictures = _flipped(pictures, random)
    if "shift" in how:
        pictures = _shifted(pictures, random)
    return pictures


def _flipped(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Mirror each picture left to right, with a chance of one half."""
    mirrored = torch.rand(len(pictures), generator=random) < 0.5
    return torch.where(mirrored.reshape(-1, 1, 1, 1), pictures.flip(2), pictures)


def _shifted(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Shift each picture by whole pixels up or down and left or right; the edge is repeated."""
    count, height, width, _ = pictures.shape
    down, right = max(1, height // REACH), max(1, width // REACH)
    rows = torch.randint(-down, down + 1, (count, 1), generator=random) + torch.arange(height)
    columns = torch.randint(-right, right + 1, (count, 1), generator=random) + torch.arange(width)
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    return pictures[torch.arange(count).reshape(-1, 1, 1), rows.unsqueeze(2), columns.unsqueeze(1)]
