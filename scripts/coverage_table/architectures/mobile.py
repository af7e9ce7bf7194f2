"""Mobile convolutional networks: MobileNetV2, MobileNetV3 and EfficientNet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.samples import digits

Activation = Callable[[], nn.Module]
Row = tuple[int, int, int, int, bool, Activation]
"""Kernel, expanded width, width, stride, squeeze-and-excite, activation."""


def unit(inputs: int, outputs: int, kernel: int, stride: int, groups: int, activation: Activation) -> nn.Sequential:
    """Convolution, batch norm, activation."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), activation())


class SqueezeExcite(nn.Module):
    """Channels scaled by a gate of their means (Hu et al. 2017)."""

    def __init__(self, width: int, inner: int, activation: Activation, gate: Activation) -> None:
        super().__init__()
        self.pool, self.reduce, self.expand = (
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, inner, 1),
            nn.Conv2d(inner, width, 1),
        )
        self.activation, self.gate = activation(), gate()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.expand(self.activation(self.reduce(self.pool(x)))))


class Inverted(nn.Module):
    """Inverted residual: expansion, depthwise convolution, squeeze-and-excite, projection."""

    def __init__(self, inputs: int, row: Row, gate: Activation) -> None:
        super().__init__()
        kernel, inner, outputs, stride, excited, activation = row
        layers = [unit(inputs, inner, 1, 1, 1, activation)] if inner != inputs else []
        layers.append(unit(inner, inner, kernel, stride, inner, activation))
        excite = [SqueezeExcite(inner, max(4, inputs // 4), activation, gate)] if excited else []
        self.body = nn.Sequential(*layers, *excite, unit(inner, outputs, 1, 1, 1, nn.Identity))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.residual else self.body(x)


class Mobile(nn.Module):
    """Stem of stride 2, inverted residuals, a last convolution, mean, linear layer."""

    def __init__(self, rows: Sequence[Row], last: int, activation: Activation, gate: Activation = nn.Sigmoid) -> None:
        super().__init__()
        widths = [16, *(row[2] for row in rows)]
        self.stem = unit(3, 16, 3, 2, 1, activation)
        self.blocks = nn.Sequential(*(Inverted(width, row, gate) for width, row in zip(widths, rows, strict=False)))
        self.last, self.pool = unit(widths[-1], last, 1, 1, 1, activation), nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(last, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.last(self.blocks(self.stem(x)))).flatten(1))


def mobilenet_v2() -> nn.Module:
    stages = ((1, 8, 1, 1), (6, 12, 2, 2), (6, 16, 3, 2), (6, 32, 4, 2), (6, 48, 3, 1), (6, 80, 3, 2), (6, 160, 1, 1))
    rows: list[Row] = []
    inputs = 16
    for expansion, width, depth, stride in stages:
        for place in range(depth):
            rows.append((3, inputs * expansion, width, 1 if place else stride, False, nn.ReLU6))
            inputs = width
    return Mobile(rows, 640, nn.ReLU6)


def mobilenet_v3() -> nn.Module:
    relu, hard = nn.ReLU, nn.Hardswish
    rows: list[Row] = [
        (3, 16, 16, 2, True, relu), (3, 72, 24, 2, False, relu), (3, 88, 24, 1, False, relu),
        (5, 96, 40, 2, True, hard), (5, 240, 40, 1, True, hard), (5, 240, 40, 1, True, hard),
        (5, 120, 48, 1, True, hard), (5, 144, 48, 1, True, hard), (5, 288, 96, 2, True, hard),
        (5, 576, 96, 1, True, hard), (5, 576, 96, 1, True, hard),
    ]  # fmt: skip
    return Mobile(rows, 576, hard, nn.Hardsigmoid)


def efficientnet() -> nn.Module:
    stages = ((1, 3, 8, 1, 1), (6, 3, 12, 2, 2), (6, 5, 20, 2, 2), (6, 3, 40, 3, 2), (6, 5, 56, 3, 1), (6, 5, 96, 2, 2))
    rows: list[Row] = []
    inputs = 16
    for expansion, kernel, width, depth, stride in stages:
        for place in range(depth):
            rows.append((kernel, inputs * expansion, width, 1 if place else stride, True, nn.SiLU))
            inputs = width
    return Mobile(rows, 320, nn.SiLU)


ARCHITECTURES = (
    Architecture(
        "mobilenet-v2",
        "half width, 64 × 64",
        mobilenet_v2,
        digits(64),
        "classification",
        100,
        calibration=256,
        evaluation=256,
    ),
    Architecture("mobilenet-v3", "small, full width, 64 × 64", mobilenet_v3, digits(64), "classification", 100),
    Architecture(
        "efficientnet",
        "B0 of half width and 13 blocks, SiLU and SE, 64 × 64",
        efficientnet,
        digits(64),
        "classification",
        100,
    ),
)
