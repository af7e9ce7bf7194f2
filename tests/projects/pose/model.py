"""A small encoder and decoder of heatmaps: logits [N, 7, 16, 16] of a picture of 64 by 64."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("weights.safetensors")
POINTS = 7


def convolution(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


class Pose(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(convolution(3, 16, 2), convolution(16, 32, 2))
        self.middle = nn.Sequential(convolution(32, 48, 2), convolution(48, 48))
        self.coarse = nn.Sequential(convolution(48, 48, 2), convolution(48, 48))
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.merge = convolution(48 + 48, 48)
        self.head = nn.Sequential(convolution(48 + 32, 32), nn.Conv2d(32, POINTS, 1))

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(x)
        middle = self.middle(fine)
        merged = self.merge(torch.cat([middle, self.up(self.coarse(middle))], 1))
        maps: Tensor = self.head(torch.cat([fine, self.up(merged)], 1))
        return maps


def pose() -> nn.Module:
    """The trained network, in evaluation mode."""
    model = Pose()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
