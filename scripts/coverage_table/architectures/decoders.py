"""Decoders of text: a language model with a cache of keys and values, and an encoder–decoder as T5."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.architectures.attention import Attention
from scripts.coverage_table.samples import sequences, tokens

LONGEST, WIDTH, HEADS, LAYERS, WORDS = 32, 64, 4, 2, 256


class RootMeanSquareNorm(nn.Module):
    """RMSNorm (Zhang and Sennrich 2019)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)


class CachedBlock(nn.Module):
    """Attention of one token to a cache [N, HEADS, LONGEST, size] that it writes itself into, and SwiGLU."""

    order: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = RootMeanSquareNorm(WIDTH), RootMeanSquareNorm(WIDTH)
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))
        self.gate, self.up = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.down = nn.Linear(3 * WIDTH, WIDTH, bias=False)
        self.register_buffer("order", torch.arange(LONGEST))

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, position: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y = self.norm1(x)
        query, key, value = (
            layer(y).reshape(-1, HEADS, 1, WIDTH // HEADS) for layer in (self.query, self.key, self.value)
        )
        here = (self.order == position).reshape(1, 1, LONGEST, 1)
        keys, values = torch.where(here, key, keys), torch.where(here, value, values)
        scores = query @ keys.transpose(2, 3) / (WIDTH // HEADS) ** 0.5
        scores = torch.where((self.order > position).reshape(1, 1, 1, LONGEST), -1e4, scores)
        x = x + self.out((scores.softmax(-1) @ values).reshape(-1, WIDTH))
        y = self.norm2(x)
        return x + self.down(nn.functional.silu(self.gate(y)) * self.up(y)), keys, values


class Decoder(nn.Module):
    """Logits of the next token, and the caches of both layers."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(WORDS, WIDTH), nn.Embedding(LONGEST, WIDTH)
        self.blocks = nn.ModuleList(CachedBlock() for _ in range(LAYERS))
        self.norm, self.logits = RootMeanSquareNorm(WIDTH), nn.Linear(WIDTH, WORDS, bias=False)

    def forward(self, token: Tensor, keys: Tensor, values: Tensor, position: Tensor) -> tuple[Tensor, ...]:
        x = self.words(token[:, 0]) + self.positions(position)
        written = []
        for layer, block in enumerate(self.blocks):
            x, *caches = block(x, keys[layer], values[layer], position)
            written.append(caches)
        keys, values = (torch.stack([caches[place] for caches in written]) for place in (0, 1))
        return self.logits(self.norm(x)), keys, values, position + 1


class Relative(nn.Module):
    """T5's layers without bias: self-attention with a bias by distance, attention to a memory, feedforward."""

    def __init__(self, crossed: bool) -> None:
        super().__init__()
        self.norms = nn.ModuleList(RootMeanSquareNorm(WIDTH) for _ in range(3))
        self.own = Attention(WIDTH, HEADS, biased=False)
        self.other = Attention(WIDTH, HEADS, biased=False) if crossed else None
        self.feedforward = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH, bias=False), nn.ReLU(), nn.Linear(4 * WIDTH, WIDTH, bias=False)
        )

    def forward(self, x: Tensor, bias: Tensor, memory: Tensor | None = None) -> Tensor:
        x = x + self.own(self.norms[0](x), bias)
        if self.other is not None:
            x = x + self.other(self.norms[1](x), None, memory)
        return x + self.feedforward(self.norms[2](x))


class EncoderDecoder(nn.Module):
    """Two encoder and two decoder layers, an embedding for all, logits of every place of the target."""

    distances: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.words, self.bias = nn.Embedding(WORDS, WIDTH), nn.Embedding(2 * LONGEST, HEADS)
        self.encoder = nn.ModuleList(Relative(False) for _ in range(LAYERS))
        self.decoder = nn.ModuleList(Relative(True) for _ in range(LAYERS))
        self.norm, self.last = RootMeanSquareNorm(WIDTH), RootMeanSquareNorm(WIDTH)
        places = torch.arange(LONGEST)
        self.register_buffer("distances", places[None, :] - places[:, None] + LONGEST)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        count = target.shape[1]
        bias = self.bias(self.distances).permute(2, 0, 1)[None]
        memory = self.words(source)
        for layer in self.encoder:
            memory = layer(memory, bias[:, :, : source.shape[1], : source.shape[1]])
        memory, x = self.norm(memory), self.words(target)
        causal = torch.full((count, count), -1e4).triu(1) + bias[:, :, :count, :count]
        for layer in self.decoder:
            x = layer(x, causal, memory)
        return self.last(x) @ self.words.weight.T / WIDTH**0.5


CACHE = f"[{LAYERS}, 1, {HEADS}, {LONGEST}, {WIDTH // HEADS}]"

ARCHITECTURES = (
    Architecture(
        "decoder-kv-cache", "2 blocks of 64, RMSNorm, SwiGLU, cache of 32; one token a step", Decoder,
        sequences(tokens(token=1), 16),
        state=(
            f'keys = {{ from = "keys_out", shape = {CACHE} }}',
            f'values = {{ from = "values_out", shape = {CACHE} }}',
            'position = { from = "position_out", shape = [1], dtype = "int64" }',
        ),
        outputs=("logits", "keys_out", "values_out", "position_out"),
        calibration=8, evaluation=12,
    ),
    Architecture(
        "t5", "2 + 2 layers of 64, relative positions, tied embedding", EncoderDecoder, tokens(source=24, target=16)
    ),
)  # fmt: skip
