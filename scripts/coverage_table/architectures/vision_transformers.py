"""Vision transformers: DeiT-tiny (Touvron et al. 2020), and shifted windows as in Swin (Liu et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.architectures.attention import Attention, Feedforward, PreNorm
from scripts.coverage_table.samples import digits


class VisionTransformer(nn.Module):
    """Patches, a class token, learned positions, blocks, linear layer on the class token."""

    def __init__(self, side: int, patch: int, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, (side // patch) ** 2 + 1, width))
        self.blocks = nn.Sequential(*(PreNorm(width, heads, 4 * width) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width, 1e-6), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


class WindowBlock(nn.Module):
    """Attention within windows of `window` × `window` cells of [N, H, W, C], moved by `shift` cells cyclically."""

    mask: Tensor

    def __init__(self, width: int, heads: int, side: int, window: int, shift: int) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.feedforward = Attention(width, heads), Feedforward(width, 4 * width)
        self.bias = nn.Parameter(0.1 * torch.randn(1, heads, window**2, window**2))
        regions = torch.zeros(1, side, side, 1)
        regions[:, side - shift :], regions[:, :, side - shift :] = 1, regions[:, :, side - shift :] + 2
        parts = self._windows(regions)[..., 0]
        self.register_buffer("mask", -100.0 * (parts[:, None, :, None] != parts[:, None, None, :]).float())

    def _windows(self, x: Tensor) -> Tensor:
        _, height, width, channels = x.shape
        size = self.window
        cells = x.reshape(height // size, size, width // size, size, channels).permute(0, 2, 1, 3, 4)
        return cells.reshape(-1, size * size, channels)

    def forward(self, x: Tensor) -> Tensor:
        _, height, width, channels = x.shape
        y = torch.roll(self.norm1(x), (-self.shift, -self.shift), (1, 2))
        y = self.attention(self._windows(y), self.bias + self.mask)
        size = self.window
        y = y.reshape(height // size, width // size, size, size, channels).permute(0, 2, 1, 3, 4)
        y = torch.roll(y.reshape(1, height, width, channels), (self.shift, self.shift), (1, 2))
        x = x + y
        return x + self.feedforward(self.norm2(x))


class Swin(nn.Module):
    """Two stages of a plain and a shifted block each, with merged patches between; batch 1."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 4, 4)
        self.first = nn.Sequential(WindowBlock(32, 2, 16, 4, 0), WindowBlock(32, 2, 16, 4, 2))
        self.merge = nn.Sequential(nn.LayerNorm(128), nn.Linear(128, 64, bias=False))
        self.second = nn.Sequential(WindowBlock(64, 4, 8, 4, 0), WindowBlock(64, 4, 8, 4, 2))
        self.norm, self.head = nn.LayerNorm(64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(self.patches(x).permute(0, 2, 3, 1))
        x = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], 3)
        return self.head(self.norm(self.second(self.merge(x))).mean((1, 2)))


ARCHITECTURES = (
    Architecture(
        "deit-tiny", "full size: 12 blocks of 192, 224 × 224", lambda: VisionTransformer(224, 16, 192, 3, 12),
        digits(224), "classification", evaluation=24,
    ),
    Architecture("swin", "two stages of 32 and 64, windows of 4, 64 × 64", Swin, digits(64), "classification"),
)  # fmt: skip
