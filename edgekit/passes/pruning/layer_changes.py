"""What pruning and recovery made of each module of a network, against the one that was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from edgekit.ir.layers import Change
from edgekit.ir.measurement import Array
from edgekit.passes.sensitivity.statistics import Noise

if TYPE_CHECKING:
    from edgekit.passes.base import Sample

WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


def changes(original: nn.Module, now: nn.Module, samples: Sequence[Sample]) -> tuple[Change, ...]:
    """Every convolution and linear layer that both networks have, in order of the original.

    samples: what both take. The output's SQNR is told where its shape is as it was: of a layer that lost channels, or
    that was moved, nothing can be said but how many are left.
    """
    noises: dict[str, Noise] = {}
    with torch.no_grad():
        for sample in samples:
            before, after = _outputs(original, sample), _outputs(now, sample)
            for name in before.keys() & after.keys():
                if before[name].shape == after[name].shape:
                    noises.setdefault(name, Noise()).add(before[name], after[name])
    old, new = _layers(original), _layers(now)
    return tuple(
        Change(name, len(old[name].weight), len(new[name].weight), noises[name].sqnr_db if name in noises else None)
        for name in old
        if name in new
    )


def first_output(network: nn.Module, sample: Sample) -> Array:
    """What it answers to one sample: its first output, [1, …]."""
    with torch.no_grad():
        answer: Array = pytree.tree_leaves(network(*sample))[0].numpy()
    return answer


def _layers(network: nn.Module) -> Mapping[str, nn.Conv2d]:
    return {name: module for name, module in network.named_modules() if isinstance(module, WEIGHTED)}  # type: ignore[misc]


def _outputs(network: nn.Module, sample: Sample) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    hooks = []
    for name, module in _layers(network).items():

        def keep(_: nn.Module, __: object, output: Tensor, name: str = name) -> None:
            found[name] = output

        hooks.append(module.register_forward_hook(keep))
    try:
        network(*sample)
    finally:
        for hook in hooks:
            hook.remove()
    return found
