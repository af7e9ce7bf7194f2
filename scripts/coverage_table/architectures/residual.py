"""Residual networks: ResNet-18 and ResNet-50 (He et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.samples import digits


def normalized(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, and batch norm."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    """Basic block, or with `expansion` above 1 a bottleneck, with a projection where shapes differ."""

    def __init__(self, inputs: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        outputs = width * expansion
        if expansion == 1:
            layers: Sequence[nn.Module] = (
                normalized(inputs, width, 3, stride), nn.ReLU(inplace=True), normalized(width, width, 3)
            )  # fmt: skip
        else:
            layers = (
                normalized(inputs, width, 1), nn.ReLU(inplace=True), normalized(width, width, 3, stride),
                nn.ReLU(inplace=True), normalized(width, outputs, 1),
            )  # fmt: skip
        self.body, self.relu = nn.Sequential(*layers), nn.ReLU(inplace=True)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else normalized(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.body(x) + self.shortcut(x))


class ResNet(nn.Module):
    """Stem of stride 4, four stages, mean, linear layer."""

    def __init__(self, depths: Sequence[int], width: int, expansion: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(normalized(3, width, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
        blocks, inputs = [], width
        for stage, depth in enumerate(depths):
            for place in range(depth):
                stride = 2 if stage and not place else 1
                blocks.append(Residual(inputs, width << stage, stride, expansion))
                inputs = (width << stage) * expansion
        self.blocks, self.pool = nn.Sequential(*blocks), nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(inputs, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.blocks(self.stem(x))).flatten(1))


ARCHITECTURES = (
    Architecture(
        "resnet18",
        "half width (32 to 256), 64 × 64",
        lambda: ResNet((2, 2, 2, 2), 32, 1),
        digits(64),
        "classification",
        steps=80,
    ),
    Architecture(
        "resnet50",
        "a quarter of the width (16 to 512), 64 × 64",
        lambda: ResNet((3, 4, 6, 3), 16, 4),
        digits(64),
        "classification",
        steps=80,
    ),
)
