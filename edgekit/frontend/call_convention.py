"""Call convention of a network: inputs by position, by name or in a dict, and the axis that counts the samples.

A program takes and gives arrays with the batch axis first, whatever the network's own order is.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from edgekit.specs.input_keys import BatchAxis
from edgekit.specs.inputs import Input

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class CallConvention:
    """Mapping of the project's inputs, batch axis first, to the arguments of one network's `forward`.

    state: names of the inputs after those, which the network takes as they are.
    """

    def __init__(self, network: nn.Module, inputs: Mapping[str, Input], state: tuple[str, ...] = ()) -> None:
        self.names = (*inputs, *state)
        self.axes: tuple[BatchAxis, ...] = (*(spec.batch_axis for spec in inputs.values()), *(0 for _ in state))
        self.keywords = _keywords(network, self.names)
        """Places of the inputs among the arguments: `tokens`, or `batch.tokens` in a dict; empty: by position."""

    def call(self, network: nn.Module, values: tuple[Tensor, ...]) -> Any:
        """Call `network` with one tensor an input, [1, …] each, and return what it returns."""
        moved = tuple(_to_network(value, axis) for value, axis in zip(values, self.axes, strict=True))
        if not self.keywords:
            return network(*moved)
        arguments: dict[str, Any] = {}
        for path, value in zip(self.keywords, moved, strict=True):
            *tables, name = path.split(".")
            table = arguments
            for key in tables:
                table = table.setdefault(key, {})
            table[name] = value
        return network(**arguments)

    @property
    def plain(self) -> bool:
        """True if every input has its batch axis first."""
        return not any(self.axes)


def batch_first(results: Any, axes: tuple[int | None, ...]) -> Any:
    """Move the batch axis of every output to the front; an output without one gets one. axes: one a leaf."""
    leaves, structure = pytree.tree_flatten(results)
    if len(axes) != len(leaves):
        return results
    moved = [
        leaf.unsqueeze(0) if axis is None else leaf.movedim(axis, 0) for leaf, axis in zip(leaves, axes, strict=True)
    ]
    return pytree.tree_unflatten(moved, structure)


def output_axes(
    network: nn.Module, convention: CallConvention, values: tuple[Tensor, ...], results: Any
) -> tuple[int | None, ...]:
    """Batch axis of every output of `network`, None where it has none; empty where each has it first.

    An axis that is not plain from one call is the one whose length doubles in a call with two samples. Without such a
    call, because the network takes one sample only, an output has its batch axis where the first input has it. values:
    inputs of one sample, [1, …] each. results: what the network returned for them.
    """
    single = pytree.tree_leaves(results)
    if not all(isinstance(leaf, Tensor) for leaf in single):
        return ()
    if convention.plain and all(leaf.ndim and leaf.shape[0] == 1 for leaf in single):
        return ()
    stated = None if convention.axes[0] == "none" else convention.axes[0]
    double = _doubled(network, convention, values)
    pairs = zip(single, double if len(double) == len(single) else [None] * len(single), strict=True)
    return tuple(_axis(leaf, twice, stated) for leaf, twice in pairs)


def _doubled(network: nn.Module, convention: CallConvention, values: tuple[Tensor, ...]) -> list[Any]:
    """Outputs for the same sample twice; empty if the network takes one sample only."""
    if "none" in convention.axes:
        return []
    try:
        with torch.no_grad():
            return pytree.tree_leaves(convention.call(network, tuple(torch.cat([value, value]) for value in values)))
    except (RuntimeError, ValueError, IndexError, AssertionError, TypeError):
        return []


def _axis(leaf: Tensor, twice: Any, stated: int | None) -> int | None:
    if isinstance(twice, Tensor) and twice.ndim == leaf.ndim:
        longer = [axis for axis in range(leaf.ndim) if twice.shape[axis] == 2 * leaf.shape[axis]]
        return longer[0] if longer else None
    if stated is None or leaf.ndim <= stated or leaf.shape[stated] != 1:
        return None
    return stated


def _to_network(value: Tensor, axis: BatchAxis) -> Tensor:
    """Move the batch axis from the front to where the network has it, or drop it."""
    if axis == "none":
        return value.squeeze(0)
    return value.movedim(0, axis) if axis else value


def _keywords(network: nn.Module, names: tuple[str, ...]) -> tuple[str, ...]:
    """Keyword, or path into a dict, of every input; empty if the inputs go by position, in the order of the project."""
    try:
        parameters = inspect.signature(network.forward).parameters.values()
    except (TypeError, ValueError):  # a forward that is no Python function
        return ()
    ordered = [each.name for each in parameters if each.kind in POSITIONAL]
    known = {*ordered, *(each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY)}
    if tuple(ordered[: len(names)]) == names:
        return ()
    if {name.split(".")[0] for name in names} <= known:
        return names
    if len(ordered) == 1 and len(names) > 1 and not any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return tuple(f"{ordered[0]}.{name}" for name in names)
    return ()
