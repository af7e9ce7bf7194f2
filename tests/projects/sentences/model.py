"""Sentence encoder in the form of MiniLM: embeddings of words and places, two layers, and the mean of the words.

Layers are BERT's, with the norm after each sum. The mask counts the words. Embeddings are of length 1, [N, 64].
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize, scaled_dot_product_attention

WORDS, LONGEST, WIDTH, HEADS = 2048, 16, 64, 4
WEIGHTS = Path(__file__).with_name("weights.safetensors")


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.project = nn.Linear(WIDTH, WIDTH)
        self.widen, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, 1e-12), nn.LayerNorm(WIDTH, 1e-12)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        batch, length, _ = x.shape
        query, key, value = (
            layer(x).reshape(batch, length, HEADS, WIDTH // HEADS).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=bias)
        x = self.norm1(x + self.project(mixed.transpose(1, 2).reshape(batch, length, WIDTH)))
        out: Tensor = self.norm2(x + self.narrow(gelu(self.widen(x))))
        return out


class Sentences(nn.Module):
    places: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(WORDS, WIDTH), nn.Embedding(LONGEST, WIDTH)
        self.register_buffer("places", torch.arange(LONGEST)[None], persistent=False)
        self.norm = nn.LayerNorm(WIDTH, 1e-12)
        self.first, self.second = Layer(), Layer()

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        bias = (1.0 - mask[:, None, None, :]) * torch.finfo(torch.float32).min
        x = self.norm(self.words(tokens) + self.positions(self.places[:, : tokens.shape[1]]))
        x = self.second(self.first(x, bias), bias)
        mean = (x * mask[..., None]).sum(1) / torch.clamp(mask.sum(1, keepdim=True), min=1.0)
        return normalize(mean, dim=1)


def sentences() -> nn.Module:
    model = Sentences()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
