"""Small networks of many architectures, with their multiply-accumulates and weights counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgekit.frontend.canonical import canonical
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec

TOKENS, WORDS = 12, 500
STEPS = 2
"""Length of the sequences of recurrent networks, which converters unroll."""


class Classifier(nn.Module):
    """Embedding, mean, linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(WORDS, 32), nn.Linear(32, 8)

    def forward(self, tokens: Tensor) -> Tensor:
        answer: Tensor = self.head(self.embedding(tokens).mean(1))
        return answer


class Tied(nn.Module):
    """Language model whose last layer has the embedding's weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.hidden = nn.Embedding(WORDS, 32), nn.Linear(32, 32)
        self.head = nn.Linear(32, WORDS, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        answer: Tensor = self.head(torch.relu(self.hidden(self.embedding(tokens))))
        return answer


class Recurrent(nn.Module):
    def __init__(self, cell: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.cell, self.head = cell(16, 24, batch_first=True), nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.head(self.cell(x)[0][:, -1])
        return answer


class Attention(nn.Module):
    """Four heads over positions that have an embedding of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.randn(1, 6, 32))
        self.projections, self.out = nn.Linear(32, 96), nn.Linear(32, 32)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        heads = self.projections(x + self.position).view(batch, length, 3, 4, width // 4).permute(2, 0, 3, 1, 4)
        query, key, value = heads
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(batch, length, width)
        answer: Tensor = self.out(mixed)
        return answer


class Einsum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(12, 20))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bth,hk->btk", x, self.weight) + torch.einsum("bth,bsh->bts", x, x).sum(-1, keepdim=True)


class Shared(nn.Module):
    """One linear layer, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Linear(16, 16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.head(torch.relu(self.layer(torch.relu(self.layer(x)))))
        return answer


class Convolutions(nn.Module):
    """Grouped, dilated, transposed and depthwise convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.grouped = nn.Conv2d(4, 8, 3, padding=1, groups=2)
        self.dilated = nn.Conv2d(8, 8, 3, padding=2, dilation=2)
        self.transposed = nn.ConvTranspose2d(8, 6, 4, stride=2, padding=1)
        self.depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.dilated(torch.relu(self.grouped(x))))
        answer: Tensor = self.depthwise(torch.relu(self.transposed(x)))
        return answer


def _sequence() -> nn.Module:
    return nn.Sequential(nn.Conv1d(4, 8, 5, padding=2), nn.ReLU(), nn.Conv1d(8, 8, 3, padding=1, groups=8))


def _volume() -> nn.Module:
    return nn.Sequential(nn.Conv3d(2, 6, 3, padding=1), nn.ReLU())


@dataclass(frozen=True)
class Architecture:
    make: Callable[[], nn.Module]
    example: Callable[[], Tensor]
    macs: int
    weights: int
    """Elements of its weights, vectors left out."""
    folded: int = 0
    """Multiply-accumulates that LiteRT's converter computes beforehand."""


def _reals(*shape: int) -> Callable[[], Tensor]:
    return lambda: torch.randn(1, *shape)


def _tokens() -> Tensor:
    return torch.randint(0, WORDS, (1, TOKENS))


ARCHITECTURES = {
    "embedding": Architecture(Classifier, _tokens, 32 * 8, WORDS * 32 + 32 * 8),
    "tied": Architecture(Tied, _tokens, TOKENS * (32 * 32 + 32 * WORDS), WORDS * 32 + 32 * 32),
    "lstm": Architecture(
        lambda: Recurrent(nn.LSTM), _reals(STEPS, 16), STEPS * 4 * 24 * (16 + 24) + 24 * 5, 4 * 24 * (16 + 24) + 24 * 5,
        folded=4 * 24 * 24,
    ),
    "gru": Architecture(
        lambda: Recurrent(nn.GRU), _reals(STEPS, 16), STEPS * 3 * 24 * (16 + 24) + 24 * 5, 3 * 24 * (16 + 24) + 24 * 5,
        folded=3 * 24 * 24,
    ),
    "attention": Architecture(
        Attention, _reals(6, 32), 6 * 32 * 96 + 2 * 6 * 6 * 32 + 6 * 32 * 32, 32 * 96 + 32 * 32 + 6 * 32
    ),
    "einsum": Architecture(Einsum, _reals(5, 12), 5 * 12 * 20 + 5 * 5 * 12, 12 * 20),
    "shared": Architecture(Shared, _reals(16), 2 * 16 * 16 + 16 * 4, 16 * 16 + 16 * 4),
    "convolutions": Architecture(
        Convolutions,
        _reals(4, 8, 8),
        64 * 8 * 2 * 9 + 64 * 8 * 8 * 9 + 64 * 8 * 6 * 16 + 256 * 6 * 9,
        8 * 2 * 9 + 8 * 8 * 9 + 8 * 6 * 16 + 6 * 9,
    ),
    "conv1d": Architecture(_sequence, _reals(4, 20), 20 * 8 * 4 * 5 + 20 * 8 * 3, 8 * 4 * 5 + 8 * 3),
    "conv3d": Architecture(_volume, _reals(2, 4, 6, 6), 144 * 6 * 2 * 27, 6 * 2 * 27),
}  # fmt: skip


class Wrapped(nn.Module):
    """Network as the frontend names it: `model`."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.model(x)
        return answer


def captured(model: nn.Module, example: Tensor) -> Program:
    """Program of a network with one input `x` and one output, in canonical form."""
    wrapped = Wrapped(model).eval()
    with torch.no_grad():
        exported, output = canonical(torch.export.export(wrapped, (example,))), wrapped(example)
    specs = [
        TensorSpec(name, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
        for name, tensor in (("x", example), ("output", output))
    ]
    return Program(exported, Signature((specs[0],), (specs[1],)))
