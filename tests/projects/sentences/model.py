"""Sentence encoder: two transformer layers over words, and the mean of those that the mask counts. [N, 48]."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

WORDS, WIDTH, HEADS = 1024, 48, 4
WEIGHTS = Path(__file__).with_name("weights.safetensors")


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attend, self.project = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.widen, self.narrow = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        batch, length, _ = x.shape
        parts = self.attend(self.norm1(x)).reshape(batch, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(parts[0], parts[1], parts[2], attn_mask=bias)
        x = x + self.project(mixed.transpose(1, 2).reshape(batch, length, WIDTH))
        out: Tensor = x + self.narrow(nn.functional.gelu(self.widen(self.norm2(x))))
        return out


class Sentences(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.first, self.second = Layer(), Layer()

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        bias = ((mask - 1) * 100)[:, None, None, :]
        x = self.second(self.first(self.words(tokens), bias), bias)
        mean: Tensor = (x * mask[..., None]).sum(1) / torch.clamp(mask.sum(1, keepdim=True), min=1.0)
        return mean


def sentences() -> nn.Module:
    model = Sentences()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
