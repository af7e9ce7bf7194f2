"""Networks of sequences and sound: Conformer block, temporal convolutions, keyword spotter."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import glu, pad, silu

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.architectures.attention import Attention
from scripts.coverage_table.samples import tones


class Half(nn.Module):
    """Feedforward with SiLU, added by half."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.5 * self.layers(x)


class ConvolutionModule(nn.Module):
    """Pointwise layer with GLU, depthwise convolution over time, batch norm, SiLU, pointwise layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.enter, self.leave = (
            nn.LayerNorm(width),
            nn.Conv1d(width, 2 * width, 1),
            nn.Conv1d(width, width, 1),
        )
        self.depthwise = nn.Conv1d(width, width, 15, padding=7, groups=width)
        self.batch_norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = glu(self.enter(self.norm(x).transpose(1, 2)), 1)
        return x + self.leave(silu(self.batch_norm(self.depthwise(y)))).transpose(1, 2)


class Conformer(nn.Module):
    """One block (Gulati et al. 2020), mean over time, linear layer."""

    def __init__(self) -> None:
        super().__init__()
        width = 64
        self.enter, self.before, self.after = nn.Linear(16, width), Half(width), Half(width)
        self.norm1, self.norm2, self.attention = nn.LayerNorm(width), nn.LayerNorm(width), Attention(width, 4)
        self.convolution, self.head = ConvolutionModule(width), nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(self.enter(x))
        x = self.convolution(x + self.attention(self.norm1(x)))
        return self.head(self.norm2(self.after(x)).mean(1))


class Causal(nn.Module):
    """Residual block of two dilated convolutions over time that see the past alone (Bai et al. 2018)."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.past = 2 * dilation
        self.first, self.second = (nn.Conv1d(width, width, 3, dilation=dilation) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.first(pad(x, (self.past, 0))))
        return torch.relu(x + torch.relu(self.second(pad(y, (self.past, 0)))))


class Temporal(nn.Module):
    """Four blocks of dilations 1 to 8, linear layer on the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.head = nn.Conv1d(8, 32, 1), nn.Linear(32, 4)
        self.blocks = nn.Sequential(*(Causal(32, dilation) for dilation in (1, 2, 4, 8)))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.enter(x.transpose(1, 2)))[:, :, -1])


class Keywords(nn.Module):
    """Depthwise separable convolutions over frames and bands (Zhang et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(1, 32, (10, 4), 2, (4, 1), bias=False), nn.BatchNorm2d(32), nn.ReLU()]
        for _ in range(4):
            layers += [nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
            layers += [nn.Conv2d(32, 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
        self.layers, self.head = nn.Sequential(*layers), nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x[:, None]).mean((2, 3)))


ARCHITECTURES = (
    Architecture(
        "conformer", "one block of 64, kernel 15, 32 steps", Conformer, tones(32, 16), "classification", steps=100
    ),
    Architecture("tcn", "4 causal blocks of 32, dilations 1 to 8", Temporal, tones(32, 8), "classification", 200),
    Architecture(
        "keyword-spotter", "DS-CNN of half width, 49 × 10", Keywords, tones(49, 10), "classification", steps=200
    ),
)
