"""Sizes and tensors of a pruned network: read from it, and set in a new network of the same factory."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from torch import Tensor, nn

Size = int | tuple[int, ...]
Sizes = Mapping[str, Mapping[str, Size]]
"""Sizes by module name and attribute."""


def sizes(module: nn.Module) -> Sizes:
    """Attributes of all modules that are integers or tuples of integers: out_channels, groups, num_heads …"""
    return {
        name: {attribute: value for attribute, value in vars(part).items() if _is_size(value)}
        for name, part in module.named_modules()
    }


def _is_size(value: object) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(type(one) is int for one in value)
    return type(value) is int


def resize(module: nn.Module, stated: Sizes) -> None:
    """Set these sizes in the modules, in place. Raises AttributeError if an attribute is missing."""
    for name, attributes in stated.items():
        part = module.get_submodule(name)
        for attribute, value in attributes.items():
            if getattr(part, attribute) != value:
                setattr(part, attribute, value)


def refill(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Replace parameters and buffers by tensors of any shape, in place; shared parameters stay shared.

    Raises KeyError if the names of `tensors` are not exactly those of the state dict.
    """
    known = set(module.state_dict())
    if known != set(tensors):
        raise KeyError(", ".join(sorted(known ^ set(tensors))))
    parameters: dict[int, nn.Parameter] = {}
    every = chain(
        module.named_parameters(remove_duplicate=False),
        ((name, value) for name, value in module.named_buffers(remove_duplicate=False) if name in known),
    )
    for name, before in list(every):
        owner, _, leaf = name.rpartition(".")
        part = module.get_submodule(owner)
        if isinstance(before, nn.Parameter):
            parameter = parameters.setdefault(id(before), nn.Parameter(tensors[name], before.requires_grad))
            setattr(part, leaf, parameter)
        else:
            setattr(part, leaf, tensors[name])
