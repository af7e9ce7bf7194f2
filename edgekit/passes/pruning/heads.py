"""Attention heads as pruning groups.

A module counts as an attention if it has a number of heads, linear projections into them, and one out of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.passes.pruning.groups import Part

COUNTS = ("num_heads", "n_heads", "heads", "num_attention_heads", "nhead")
"""Attribute names under which networks keep the number of heads."""


@dataclass(frozen=True)
class Attention:
    """Heads of one attention module, whose code must take their number and size from attributes."""

    name: str
    module: nn.Module
    count: str
    """Name of the attribute that holds the number of heads."""
    size: int
    sources: tuple[str, ...]
    """Names of the linear layers that compute queries, keys and values: one for all (fused), or three."""
    target: str
    """Name of the linear layer that reads the heads."""
    step: int = 1

    @property
    def width(self) -> int:
        """Channels of one head."""
        inner: int = self._layer(self.target).in_features // self.size
        return inner

    @property
    def parts(self) -> tuple[Part, ...]:
        sources = (self._layer(name) for name in self.sources)
        projections = [
            Part(name, "out", layer.out_features / self.size, layer.out_features)
            for name, layer in zip(self.sources, sources, strict=True)
        ]
        return (
            *projections,
            Part(self.target, "in", self.width, self.width * self.size),
            Part(self.name, "out", 1, self.size),
        )

    def magnitude(self) -> Tensor:
        return self._per_head([tensor.detach().square() for tensor in self._weights()])

    def scores(self, importance: Any) -> Tensor | None:
        """Taylor importance as torch-pruning defines it: the sum of |weight times gradient|. None without gradients."""
        weights = self._weights()
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        if len(gradients) < len(weights):
            return None
        return self._per_head([(w.detach() * g).abs() for w, g in zip(weights, gradients, strict=True)])

    def silence(self, module: nn.Module, units: Sequence[int]) -> None:
        weight = _linear(module, self.target).weight
        weight.index_fill_(1, torch.tensor(self._channels(units)), 0.0)

    def remove(self, units: Sequence[int]) -> None:
        stays = [head for head in range(self.size) if head not in set(units)]
        inner, kept = self.width * self.size, self._channels(stays)
        for name in self.sources:
            layer = self._layer(name)
            rows = torch.tensor([start + row for start in range(0, layer.out_features, inner) for row in kept])
            layer.weight = _selected(layer.weight, rows, 0)
            layer.bias = _selected(layer.bias, rows, 0) if layer.bias is not None else None
            layer.out_features = len(rows)
        target = self._layer(self.target)
        target.weight, target.in_features = _selected(target.weight, torch.tensor(kept), 1), len(kept)
        attention = self.module.get_submodule(self.name)
        for attribute, value in vars(attention).items():
            if type(value) is int and value == inner and attribute not in ("dim", "embed_dim"):
                setattr(attention, attribute, len(kept))
        setattr(attention, self.count, len(stays))

    def _channels(self, heads: Sequence[int]) -> list[int]:
        return [head * self.width + channel for head in heads for channel in range(self.width)]

    def _weights(self) -> list[Tensor]:
        return [*(self._layer(name).weight for name in self.sources), self._layer(self.target).weight]

    def _per_head(self, values: list[Tensor]) -> Tensor:
        *projections, read = values
        rows = [value.sum(1).reshape(-1, self.size, self.width).sum((0, 2)) for value in projections]
        return torch.stack([*rows, read.sum(0).reshape(self.size, self.width).sum(1)]).sum(0)

    def _layer(self, name: str) -> nn.Linear:
        return _linear(self.module, name)


def attentions(module: nn.Module) -> Iterator[Attention]:
    """Attention modules inside `module` whose heads can be told apart.

    `torch.nn.MultiheadAttention` is left out: its width is that of its input, so it cannot have fewer heads.
    """
    for name, part in module.named_modules():
        count = next((count for count in COUNTS if type(getattr(part, count, None)) is int), None)
        if count is None or isinstance(part, nn.MultiheadAttention):
            continue
        linears = [(child, layer) for child, layer in part.named_children() if isinstance(layer, nn.Linear)]
        heads: int = getattr(part, count)
        if len(linears) < 2 or not heads:
            continue
        target, reader = linears[-1]
        fused = [child for child, layer in linears[:-1] if layer.out_features == 3 * reader.in_features]
        apart = [child for child, layer in linears[:-1] if layer.out_features == reader.in_features]
        sources = fused if len(fused) == 1 else apart
        if reader.in_features % heads == 0 and len(sources) in (1, 3) and bool(fused) != bool(len(sources) == 3):
            yield Attention(
                name, module, count, heads, tuple(f"{name}.{child}" for child in sources), f"{name}.{target}"
            )


def _linear(module: nn.Module, name: str) -> nn.Linear:
    layer = module.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    return layer


def _selected(parameter: Tensor, indices: Tensor, axis: int) -> nn.Parameter:
    return nn.Parameter(parameter.detach().index_select(axis, indices))
