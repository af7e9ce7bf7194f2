"""Networks of points, graphs and tables: PointNet, graph convolution, a perceptron."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.samples import clouds, graphs, tumours


def pointwise(*widths: int) -> nn.Sequential:
    """Layers that every point of [N, C, points] goes through alone."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Conv1d(before, after, 1, bias=False), nn.BatchNorm1d(after), nn.ReLU()]
    return nn.Sequential(*layers)


class PointNet(nn.Module):
    """Points turned by a matrix that is computed of them, pointwise layers, maximum (Qi et al. 2017)."""

    identity: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.turn, self.matrix = pointwise(3, 16, 32), nn.Linear(32, 9)
        self.layers, self.head = pointwise(3, 32, 64, 128), nn.Linear(128, 4)
        self.register_buffer("identity", torch.eye(3)[None])

    def forward(self, points: Tensor) -> Tensor:
        matrix = self.matrix(self.turn(points).amax(2)).reshape(-1, 3, 3) + self.identity
        return self.head(self.layers(torch.bmm(matrix, points)).amax(2))


class GraphConvolution(nn.Module):
    """Two layers of normalized adjacency × features × weights (Kipf and Welling 2016), mean, linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 2)

    def forward(self, features: Tensor, adjacency: Tensor) -> Tensor:
        x = torch.relu(torch.bmm(adjacency, self.first(features)))
        x = torch.relu(torch.bmm(adjacency, self.second(x)))
        return self.head(x.mean(1))


class Tabular(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Linear(30, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(),
            nn.Linear(32, 2),
        )  # fmt: skip


ARCHITECTURES = (
    Architecture(
        "pointnet", "128 points, width 32 to 128, one transform", PointNet, clouds(128), "classification", 200
    ),
    Architecture(
        "graph-convolution", "24 nodes, two layers of 32", GraphConvolution, graphs(24, 16), "classification", 200
    ),
    Architecture("tabular", "30 columns, 64, 32", Tabular, tumours(), "classification", 200),
)
