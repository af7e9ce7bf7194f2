"""A small detector with the head of YOLO v8: sides as distributions over bins, and scores without objectness."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("weights.safetensors")
CLASSES, BINS = 3, 8
STRIDES = (8, 16)


class Convolution(nn.Sequential):
    def __init__(self, before: int, after: int, side: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(before, after, side, stride, side // 2, bias=False), nn.BatchNorm2d(after), nn.SiLU()
        )


class Split(nn.Module):
    """Half of the channels through a bottleneck with a way round it, all joined (C2f)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter, self.leave = Convolution(width, width, 1), Convolution(width + width // 2, width, 1)
        self.inner = nn.Sequential(Convolution(width // 2, width // 2), Convolution(width // 2, width // 2))

    def forward(self, x: Tensor) -> Tensor:
        one, other = self.enter(x).chunk(2, 1)
        joined: Tensor = self.leave(torch.cat([one, other, other + self.inner(other)], 1))
        return joined


class Yolo(nn.Module):
    """Levels of strides 8 and 16, the coarse one fed back to the fine one."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            Convolution(3, 12, 3, 2), Convolution(12, 24, 3, 2), Split(24), Convolution(24, 48, 3, 2), Split(48)
        )
        self.coarse = nn.Sequential(Convolution(48, 64, 3, 2), Split(64))
        self.back = Convolution(48 + 64, 48, 1)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.heads = nn.ModuleList(
            [nn.Sequential(Convolution(width, 48), nn.Conv2d(48, 4 * BINS + CLASSES, 1)) for width in (48, 64)]
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Maps [N, 4 * BINS + CLASSES, H, W] of both levels."""
        fine = self.fine(x)
        coarse = self.coarse(fine)
        levels = (self.back(torch.cat([fine, self.up(coarse)], 1)), coarse)
        return tuple(head(level) for head, level in zip(self.heads, levels, strict=True))


class Decoded(nn.Module):
    """The network with its boxes decoded in the graph: [N, 4 + CLASSES, A], as its users export it."""

    points: Tensor
    strides: Tensor
    bins: Tensor

    def __init__(self, network: Yolo, height: int, width: int, zoom: float) -> None:
        super().__init__()
        self.network = network
        points, strides = grid(height, width)
        self.register_buffer("points", points)
        self.register_buffer("strides", strides * zoom)
        self.register_buffer("bins", torch.arange(BINS, dtype=torch.float32).reshape(1, 1, BINS, 1))

    def forward(self, x: Tensor) -> Tensor:
        rows = torch.cat([each.flatten(2) for each in self.network(x)], 2)
        sides, scores = rows[:, : 4 * BINS], rows[:, 4 * BINS :]
        distances = (sides.reshape(x.shape[0], 4, BINS, -1).softmax(2) * self.bins).sum(2)
        low, high = distances.chunk(2, 1)
        centres, lengths = self.points + (high - low) / 2, high + low
        return torch.cat([torch.cat([centres, lengths], 1) * self.strides, scores.sigmoid()], 1)


def grid(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Centres [2, A] of all cells in strides of their level, and these strides [1, A]."""
    points, strides = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        points.append(torch.stack([x.flatten(), y.flatten()]) + 0.5)
        strides.append(torch.full((1, x.numel()), float(stride)))
    return torch.cat(points, 1), torch.cat(strides, 1)


def yolo() -> nn.Module:
    """The trained network, in evaluation mode, up to its maps."""
    model = Yolo()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()


def camera() -> nn.Module:
    """The same, with its boxes decoded in the graph to pixels of a camera's picture, which is ten times as large."""
    model = yolo()
    assert isinstance(model, Yolo)
    return Decoded(model, 64, 96, zoom=10.0).eval()
