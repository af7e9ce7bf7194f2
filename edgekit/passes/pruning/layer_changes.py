"""Changes of each layer by pruning and recovery: number of channels, and SQNR of its output, against the original."""

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
    """Changes of every convolution and linear layer that both networks have, in order of the original.

    original: the network that was trained. now: the same after pruning and recovery. samples: inputs for both. The SQNR
    of an output is None where its shape has changed; then only the numbers of channels compare.
    """
    noises: dict[str, Noise] = {}
    with torch.no_grad():
        for sample in samples:
            before, after = _outputs(original, sample), _outputs(now, sample)
            for name in sorted(before.keys() & after.keys()):
                if before[name].shape == after[name].shape:
                    noises.setdefault(name, Noise()).add(before[name], after[name])
    old, new = _layers(original), _layers(now)
    return tuple(
        Change(name, len(old[name].weight), len(new[name].weight), noises[name].sqnr_db if name in noises else None)
        for name in old
        if name in new
    )


def outputs(network: nn.Module, sample: Sample) -> list[Array]:
    """Outputs of the network for one sample, [1, …] each."""
    with torch.no_grad():
        return [leaf.numpy() for leaf in pytree.tree_leaves(network(*sample))]


def _layers(network: nn.Module) -> Mapping[str, nn.Conv2d]:
    return {name: module for name, module in network.named_modules() if isinstance(module, WEIGHTED)}  # type: ignore[misc]


def _outputs(network: nn.Module, sample: Sample) -> dict[str, Tensor]:
    """Outputs of the weighted layers for one sample, by name."""
    outputs: dict[str, Tensor] = {}
    hooks = []
    for name, module in _layers(network).items():

        def keep(_: nn.Module, __: object, output: Tensor, name: str = name) -> None:
            outputs[name] = output

        hooks.append(module.register_forward_hook(keep))
    try:
        network(*sample)
    finally:
        for hook in hooks:
            hook.remove()
    return outputs
