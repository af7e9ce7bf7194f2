"""Convolutional networks with one operator that is seldom: ConvNeXt, dilation, transposition, PReLU."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.samples import digits, photographs


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of an image [N, C, H, W]."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    """Depthwise 7 × 7, LayerNorm, two pointwise layers with GELU, a scale (Liu et al. 2022)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise, self.norm = nn.Conv2d(width, width, 7, padding=3, groups=width), nn.LayerNorm(width)
        self.widen, self.narrow, self.activation = nn.Linear(width, 4 * width), nn.Linear(4 * width, width), nn.GELU()
        self.scale = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.narrow(self.activation(self.widen(y)))
        return x + y.permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        widths, layers = (24, 48, 96, 192), [nn.Conv2d(3, 24, 4, 4), ChannelNorm(24), ConvNeXtBlock(24)]
        for before, after in pairwise(widths):
            layers += [ChannelNorm(before), nn.Conv2d(before, after, 2, 2), ConvNeXtBlock(after), ConvNeXtBlock(after)]
        self.layers, self.norm, self.head = nn.Sequential(*layers), nn.LayerNorm(192), nn.Linear(192, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.layers(x).mean((2, 3))))


class Dilated(nn.Module):
    """Convolutions of dilation 1, 2, 4 and their concatenation (as in DeepLab's pyramid)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 24, 3, 2, 1), nn.ReLU())
        self.branches = nn.ModuleList(nn.Conv2d(24, 16, 3, padding=rate, dilation=rate) for rate in (1, 2, 4))
        self.merge = nn.Sequential(nn.ReLU(), nn.Conv2d(48, 32, 1), nn.ReLU())
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(x)
        return self.head(self.merge(torch.cat([branch(y) for branch in self.branches], 1)).mean((2, 3)))


class Transposed(nn.Module):
    """Encoder and decoder by transposed convolutions, with or without output padding."""

    def __init__(self, padded: bool) -> None:
        super().__init__()
        side, more = (3, 1) if padded else (4, 0)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(32, 16, side, 2, 1, more), nn.ReLU(),
            nn.ConvTranspose2d(16, 3, side, 2, 1, more),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Parametric(nn.Module):
    """PReLU after convolutions and after linear layers, as portrait segmenters and face embeddings have it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, 1, 1), nn.PReLU(16), nn.Conv2d(16, 32, 3, 2, 1), nn.PReLU(32), nn.Flatten(),
            nn.Linear(32 * 64, 64), nn.PReLU(), nn.Linear(64, 48), nn.PReLU(48),
        )  # fmt: skip
        self.head = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x))


ARCHITECTURES = (
    Architecture("convnext", "width 24 to 192, 7 blocks, 64 × 64", ConvNeXt, digits(64), "classification"),
    Architecture("dilated", "three dilations, 48 × 48", Dilated, digits(48), "classification", steps=500),
    Architecture(
        "transposed", "kernel 4, 32 × 32", lambda: Transposed(False), photographs(32, "same"), "denoising", 200
    ),
    Architecture(
        "transposed-padded", "kernel 3, output_padding, 32 × 32", lambda: Transposed(True), photographs(32, "same"),
        "denoising", 200,
    ),
    Architecture("prelu", "after Conv2d and Linear, 16 × 16", Parametric, digits(16, 1), "classification", steps=200),
)  # fmt: skip
