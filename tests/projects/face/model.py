"""A light face detector with two outputs: scores [N, 240, 2] after softmax, and offsets [N, 240, 4] from priors."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("weights.safetensors")
PRIORS = 2
"""Priors of a cell, on both levels."""


def convolution(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


def separable(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, before, 3, stride, 1, groups=before, bias=False),
        nn.BatchNorm2d(before),
        nn.ReLU(),
        nn.Conv2d(before, after, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


class Face(nn.Module):
    """Levels of strides 8 and 16, each with a head for scores and a head for offsets."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            convolution(3, 16, 2), convolution(16, 32, 2), separable(32, 64, 2), separable(64, 64)
        )
        self.coarse = nn.Sequential(separable(64, 96, 2), separable(96, 96))
        self.scores = nn.ModuleList([nn.Conv2d(width, 2 * PRIORS, 3, padding=1) for width in (64, 96)])
        self.boxes = nn.ModuleList([nn.Conv2d(width, 4 * PRIORS, 3, padding=1) for width in (64, 96)])

    def raw(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [N, 240, 2] and offsets [N, 240, 4]."""
        fine = self.fine(x)
        levels = (fine, self.coarse(fine))
        return rows(self.scores, levels, 2), rows(self.boxes, levels, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits, boxes = self.raw(x)
        return logits.softmax(2), boxes


def rows(heads: nn.ModuleList, levels: tuple[Tensor, ...], width: int) -> Tensor:
    maps = [head(level).permute(0, 2, 3, 1) for head, level in zip(heads, levels, strict=True)]
    return torch.cat([each.reshape(each.shape[0], -1, width) for each in maps], dim=1)


def face() -> nn.Module:
    """The trained network, in evaluation mode."""
    model = Face()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
