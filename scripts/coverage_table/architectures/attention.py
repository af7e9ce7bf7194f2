"""Blocks that the transformers of the table share."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class Attention(nn.Module):
    """Multi-head attention of `x` [N, T, width], or of `x` to `memory`; `bias` is added to the scores."""

    def __init__(self, width: int, heads: int, biased: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width, bias=biased) for _ in range(4))

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def forward(self, x: Tensor, bias: Tensor | None = None, memory: Tensor | None = None) -> Tensor:
        source = x if memory is None else memory
        query, key, value = self._split(self.query(x)), self._split(self.key(source)), self._split(self.value(source))
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Feedforward(nn.Sequential):
    """Two linear layers with GELU between."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))


class PreNorm(nn.Module):
    """Transformer block whose norms come before attention and feedforward."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
        self.attention, self.feedforward = Attention(width, heads), Feedforward(width, inner)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        x = x + self.attention(self.norm1(x), bias)
        return x + self.feedforward(self.norm2(x))


class PostNorm(nn.Module):
    """Transformer block whose norms come after the residual additions, as in BERT."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-12), nn.LayerNorm(width, 1e-12)
        self.attention, self.feedforward = Attention(width, heads), Feedforward(width, inner)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        x = self.norm1(x + self.attention(x, bias))
        return self.norm2(x + self.feedforward(x))
