"""Mixtures of experts: every expert computed and weighted, or two chosen and their weights looked up by index."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.samples import digits

WIDTH, EXPERTS = 64, 4


class Mixture(nn.Module, ABC):
    """Image, a linear layer, four experts and a gate, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.gate = nn.Linear(64, WIDTH), nn.Linear(WIDTH, EXPERTS)
        self.up = nn.Parameter(torch.randn(EXPERTS, WIDTH, 2 * WIDTH) / WIDTH**0.5)
        self.down = nn.Parameter(torch.randn(EXPERTS, 2 * WIDTH, WIDTH) / (2 * WIDTH) ** 0.5)
        self.head = nn.Linear(WIDTH, 10)

    @abstractmethod
    def experts(self, x: Tensor) -> Tensor:
        """Answers [N, WIDTH] of the mixture."""

    def forward(self, image: Tensor) -> Tensor:
        x = torch.relu(self.stem(image.flatten(1)))
        return self.head(x + self.experts(x))


class Dense(Mixture):
    """All experts, weighted by the softmax of the gate."""

    def experts(self, x: Tensor) -> Tensor:
        answers = torch.stack([torch.relu(x @ self.up[each]) @ self.down[each] for each in range(EXPERTS)], 1)
        return (self.gate(x).softmax(-1)[:, :, None] * answers).sum(1)


class Indexed(Mixture):
    """Two experts with the largest gates, their weights taken from the table by index."""

    def experts(self, x: Tensor) -> Tensor:
        gates, chosen = self.gate(x).topk(2, dim=-1)
        hidden = torch.relu(torch.matmul(x[:, None, None, :], self.up[chosen]))
        answers = torch.matmul(hidden, self.down[chosen])[:, :, 0]
        return (gates.softmax(-1)[:, :, None] * answers).sum(1)


ARCHITECTURES = (
    Architecture("moe-dense", "4 experts of 64 × 128", Dense, digits(8, 1), "classification", steps=200),
    Architecture("moe-index", "2 of 4 experts of 64 × 128", Indexed, digits(8, 1), "classification", steps=200),
)
