"""Groups that can be pruned without changing anything else in the network: found by structure, then tried on a copy."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from edgekit.passes.pruning.channels import channels
from edgekit.passes.pruning.groups import PruningGroup
from edgekit.passes.pruning.heads import attentions

if TYPE_CHECKING:
    Args = tuple[Tensor, ...]

TOLERANCE = 1e-3
"""Largest difference, as a share of the largest output: float32 adds up in another order in a narrower layer."""


@dataclass(frozen=True)
class ProtectedChannels:
    """Channels that must stay, whatever is pruned."""

    kept: frozenset[str]
    """Names of modules whose outputs keep all channels."""
    round_to: int
    """Multiple in which channels stay."""


def prunable_groups(module: nn.Module, examples: Args, bounds: ProtectedChannels) -> list[PruningGroup]:
    """Groups of `module` whose removal has the same effect as zeroing the weights that read them.

    This leaves out code with fixed channel numbers, and norms over all channels, which torch-pruning cannot follow. The
    groups refer to `module`: their `remove` changes it. examples: inputs of one call. Raises PassError if the network
    cannot be traced.
    """
    groups = candidate_groups(module, examples, bounds)
    names = {group.name for group in groups}
    if not _holds(module, examples, bounds, names):
        names = {name for name in names if _holds(module, examples, bounds, {name})}
    return [group for group in groups if group.name in names]


def candidate_groups(module: nn.Module, examples: Args, bounds: ProtectedChannels) -> list[PruningGroup]:
    """Groups of `module` by its structure alone, not yet tried."""
    every = list(attentions(module))
    sources = {name for attention in every for name in attention.sources}
    heads = [attention for attention in every if not {attention.name, *attention.sources} & bounds.kept]
    return [*channels(module, examples, {*bounds.kept, *sources}, bounds.round_to), *heads]


def _holds(module: nn.Module, examples: Args, bounds: ProtectedChannels, names: Collection[str]) -> bool:
    """True if a copy without every second unit of these groups answers as a copy in which these units are silent."""
    silenced, pruned = copy.deepcopy(module), copy.deepcopy(module)
    groups = [group for group in candidate_groups(pruned, examples, bounds) if group.name in names]
    with contextlib.suppress(Exception), torch.no_grad():  # user code, on shapes that it was not written for
        for group in groups:
            group.silence(silenced, range(1, group.size, 2))
        for group in groups:
            group.remove(range(1, group.size, 2))
        expected, actual = (pytree.tree_leaves(one.eval()(*examples)) for one in (silenced, pruned))
        return all(_same(*pair) for pair in zip(expected, actual, strict=True))
    return False


def _same(expected: Tensor, actual: Tensor) -> bool:
    if expected.shape != actual.shape:
        return False
    return bool((expected - actual).abs().max() <= TOLERANCE * expected.abs().max())
