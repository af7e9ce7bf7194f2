"""Examples of what a project's network takes, behind its preprocessing."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from edgekit.specs.inputs import Input


def network_examples(inputs: Mapping[str, Input], seed: int) -> tuple[Tensor, ...]:
    """Example for each input, batch 1: normal numbers for floats; 0 for integers, the one index every table has."""
    random = torch.Generator().manual_seed(seed)
    return tuple(_example((1, *spec.shape), getattr(torch, spec.dtype), random) for spec in inputs.values())


def _example(shape: tuple[int, ...], dtype: torch.dtype, random: torch.Generator) -> Tensor:
    if dtype.is_floating_point:
        return torch.randn(shape, generator=random).to(dtype)
    return torch.zeros(shape, dtype=dtype)
