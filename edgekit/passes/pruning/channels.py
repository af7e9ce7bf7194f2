"""Groups of channels that depend on each other, by torch-pruning's dependency graph (DepGraph, Fang et al. 2023)."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.errors import PassError
from edgekit.passes.pruning.groups import Part

Args = tuple[Tensor, ...]
COUNTED = (nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.LSTM, nn.MultiheadAttention)
"""Modules whose result for one channel depends on the others, or on their number: these channels are not pruned."""


@dataclass(frozen=True)
class Channels:
    """Group of channels that torch-pruning's dependency graph ties together (DepGraph, Fang et al. 2023)."""

    name: str
    size: int
    step: int
    parts: tuple[Part, ...]
    graph: Any
    root: nn.Module

    def _members(self, units: Sequence[int]) -> Any:
        pruner = self.graph.get_pruner_of_module(self.root)
        return self.graph.get_pruning_group(self.root, pruner.prune_out_channels, list(units))

    def magnitude(self) -> Tensor:
        import torch_pruning as tp

        magnitude = tp.importance.GroupMagnitudeImportance(p=2, normalizer=None)
        squares: Tensor = magnitude(self._members(range(self.size)))
        return squares

    def scores(self, importance: Any) -> Tensor | None:
        scores: Tensor | None = importance(self._members(range(self.size)))
        return scores

    def silence(self, module: nn.Module, units: Sequence[int]) -> None:
        for dependency, indices in self._members(units):
            layer = dependency.target.module
            if _reads(self.graph, dependency):
                weight = module.get_parameter(f"{self.graph._module2name[layer]}.weight")
                # A transposed convolution has its inputs first.
                weight.index_fill_(0 if getattr(layer, "transposed", False) else 1, torch.tensor(indices), 0.0)

    def remove(self, units: Sequence[int]) -> None:
        self._members(units).prune()


def channels(module: nn.Module, examples: Args, kept: Collection[str], round_to: int) -> Iterator[Channels]:
    """Groups of channels in the dependency graph of `module`.

    kept: names of modules whose outputs keep all channels. round_to: channels that stay come in multiples of this.
    Raises PassError if the network cannot be traced.
    """
    import torch_pruning as tp

    names = {layer: name for name, layer in module.named_modules()}
    ignored = [layer for layer, name in names.items() if name in kept]
    try:
        # It warns of parameters outside modules, and of how it uses torch itself.
        with warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("ignore")
            graph = tp.DependencyGraph().build_dependency(module, example_inputs=examples, verbose=False)
            groups = list(graph.get_all_groups(ignored_layers=ignored))
    except Exception as error:
        raise PassError(
            f"torch-pruning could not follow the network: {error}", hint="leave [prune] out of the profile"
        ) from error
    for group in groups:
        root = group[0].dep.target.module
        if _is_candidate(graph, group):
            yield Channels(names[root], len(group[0].idxs), round_to, tuple(_parts(graph, group, names)), graph, root)


def _is_candidate(graph: Any, group: Any) -> bool:
    """True if a layer reads the channels, and no module between depends on their number."""
    layers = [dependency.target.module for dependency, _ in group]
    grouped = any(getattr(layer, "groups", 1) not in (1, getattr(layer, "out_channels", 1)) for layer in layers)
    counted = any(isinstance(layer, (*COUNTED, nn.Parameter)) for layer in layers)
    return not grouped and not counted and any(_reads(graph, dependency) for dependency, _ in group)


def _reads(graph: Any, dependency: Any) -> bool:
    """True if the channels are summed inputs of a layer here; a depthwise convolution only passes them on."""
    layer = dependency.target.module
    mixes = isinstance(layer, nn.Linear) or (isinstance(layer, nn.modules.conv._ConvNd) and layer.groups == 1)
    return mixes and bool(graph.is_in_channel_pruning_fn(dependency.handler))


def _parts(graph: Any, group: Any, names: Mapping[nn.Module, str]) -> Iterator[Part]:
    size = len(group[0].idxs)
    for dependency, indices in group:
        layer = dependency.target.module
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
            reads = _reads(graph, dependency)
            total = graph.get_in_channels(layer) if reads else graph.get_out_channels(layer)
            yield Part(names[layer], "in" if reads else "out", len(indices) / size, total)
