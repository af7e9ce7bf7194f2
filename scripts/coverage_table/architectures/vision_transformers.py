"""Vision transformers: DeiT-tiny (Touvron et al. 2020), and shifted windows as in Swin (Liu et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.architectures.attention import Attention, Feedforward, PreNorm
from scripts.coverage_table.samples import digits

CELL = 2
"""Side of the cells of which training sees one patch, chosen at random, as in PatchDropout (Liu et al. 2022): a quarter
of the work."""


class VisionTransformer(nn.Module):
    """Patches, a class token, learned positions, blocks, linear layer on the class token."""

    def __init__(self, side: int, patch: int, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        # As large as the patches: of smaller ones, few steps of training see nothing.
        self.positions = nn.Parameter(0.5 * torch.randn(1, (side // patch) ** 2 + 1, width))
        blocks = [PreNorm(width, heads, 4 * width) for _ in range(depth)]
        for name, weight in nn.ModuleList(blocks).named_parameters():
            if name.endswith(("attention.out.weight", "feedforward.2.weight")):
                weight.data.mul_((2 * depth) ** -0.5)  # as in GPT-2: the stream does not grow with the depth
        self.blocks = nn.Sequential(*blocks)
        self.norm, self.head = nn.LayerNorm(width, 1e-6), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        positions: Tensor = self.positions
        if self.training:
            chosen = _one_of_each_cell(round(x.shape[1] ** 0.5))
            x, positions = x[:, chosen], torch.cat([positions[:, :1], positions[:, 1:][:, chosen]], 1)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + positions
        return self.head(self.norm(self.blocks(x))[:, 0])


def _one_of_each_cell(side: int) -> Tensor:
    """Indices of one patch of each cell of a grid of `side` × `side` patches, int64."""
    count = side // CELL
    corners = CELL * torch.cartesian_prod(torch.arange(count), torch.arange(count))
    places = corners + torch.randint(0, CELL, corners.shape)
    return places[:, 0] * side + places[:, 1]


class WindowBlock(nn.Module):
    """Attention within windows of `window` × `window` cells of [N, H, W, C], moved by `shift` cells cyclically."""

    mask: Tensor

    def __init__(self, width: int, heads: int, side: int, window: int, shift: int) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.feedforward = Attention(width, heads), Feedforward(width, 4 * width)
        self.bias = nn.Parameter(0.1 * torch.randn(1, heads, window**2, window**2))
        if shift:  # as timm has it: no mask where nothing is shifted
            regions = torch.zeros(1, side, side, 1)
            regions[:, side - shift :], regions[:, :, side - shift :] = 1, regions[:, :, side - shift :] + 2
            parts = self._windows(regions)[..., 0]
            self.register_buffer("mask", -100.0 * (parts[:, None, :, None] != parts[:, None, None, :]).float())

    def _windows(self, x: Tensor) -> Tensor:
        _, height, width, channels = x.shape
        size = self.window
        cells = x.reshape(-1, height // size, size, width // size, size, channels).permute(0, 1, 3, 2, 4, 5)
        return cells.reshape(-1, size * size, channels)

    def forward(self, x: Tensor) -> Tensor:
        _, height, width, channels = x.shape
        y = torch.roll(self.norm1(x), (-self.shift, -self.shift), (1, 2))
        bias = self.bias + self.mask if self.shift else self.bias
        if self.training and self.shift:
            bias = bias.repeat(len(x), 1, 1, 1)
        y = self.attention(self._windows(y), bias)
        size = self.window
        y = y.reshape(-1, height // size, width // size, size, size, channels).permute(0, 1, 3, 2, 4, 5)
        y = torch.roll(y.reshape(-1, height, width, channels), (self.shift, self.shift), (1, 2))
        x = x + y
        return x + self.feedforward(self.norm2(x))


class Swin(nn.Module):
    """Two stages of a plain and a shifted block each, with merged patches between."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 48, 4, 4)
        self.first = nn.Sequential(WindowBlock(48, 2, 16, 4, 0), WindowBlock(48, 2, 16, 4, 2))
        self.merge = nn.Sequential(nn.LayerNorm(192), nn.Linear(192, 96, bias=False))
        self.second = nn.Sequential(WindowBlock(96, 4, 8, 4, 0), WindowBlock(96, 4, 8, 4, 2))
        self.norm, self.head = nn.LayerNorm(96), nn.Linear(96, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(self.patches(x).permute(0, 2, 3, 1))
        x = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], 3)
        return self.head(self.norm(self.second(self.merge(x))).mean((1, 2)))


ARCHITECTURES = (
    Architecture(
        "deit-tiny", "full size: 12 blocks of 192, 224 × 224", lambda: VisionTransformer(224, 16, 192, 3, 12),
        digits(224), "classification", steps=220, rate=1e-3, slow=("patches",), bfloat16=True, evaluation=48,
    ),
    Architecture(
        "swin", "two stages of 48 and 96, windows of 4, 64 × 64", Swin,
        digits(64), "classification", steps=200, slow=("patches",),
    ),
)  # fmt: skip
