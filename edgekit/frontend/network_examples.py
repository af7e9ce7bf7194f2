"""Examples of what a project's network takes, behind its preprocessing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from edgekit.specs.input_lengths import lengths_of
from edgekit.specs.inputs import Input
from edgekit.specs.lengths import FreeSize


def network_examples(inputs: Mapping[str, Input], seed: int) -> tuple[Tensor, ...]:
    """Example for each input, batch 1: normal numbers for floats; 0 for integers, the one index every table has."""
    random = torch.Generator().manual_seed(seed)
    return tuple(_example((1, *spec.shape), getattr(torch, spec.dtype), random) for spec in inputs.values())


def _example(shape: tuple[int, ...], dtype: torch.dtype, random: torch.Generator) -> Tensor:
    if dtype.is_floating_point:
        return torch.randn(shape, generator=random).to(dtype)
    return torch.zeros(shape, dtype=dtype)


def tested_lengths(inputs: Mapping[str, Input]) -> list[dict[str, int]]:
    """Lengths at which a network and its artifacts are compared: the least, one between, the greatest of all names."""
    lengths = lengths_of(inputs)
    places = [[each.all[0] for each in lengths], [each.all[len(each.all) // 2] for each in lengths]]
    places += [[each.most for each in lengths]]
    return [dict(zip((each.name for each in lengths), sizes, strict=True)) for sizes in places] if lengths else []


def cut_examples(
    examples: Sequence[Tensor], axes: Sequence[Mapping[int, FreeSize]], lengths: Mapping[str, int]
) -> tuple[Tensor, ...]:
    """Cut example inputs, which have the greatest lengths, to `lengths` by name.

    axes: free axes of each, the batch axis not counted.
    """
    cut = []
    for free, example in zip(axes, examples, strict=True):
        counts = {1 + axis: lengths[size.length.name] for axis, size in free.items()}
        cut.append(example[tuple(slice(counts.get(axis)) for axis in range(example.ndim))].clone())
    return tuple(cut)


def network_axes(inputs: Mapping[str, Input]) -> list[dict[int, FreeSize]]:
    """Free axes of what the network takes, behind the preprocessing."""
    return [
        {axis: size for axis, size in enumerate(spec.shape) if isinstance(size, FreeSize)} for spec in inputs.values()
    ]
