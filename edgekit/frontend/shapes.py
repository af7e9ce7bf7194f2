"""The sizes that a network's modules know of themselves, and its tensors: read, and put into another of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from torch import Tensor, nn

Size = int | tuple[int, ...]
Sizes = Mapping[str, Mapping[str, Size]]
"""By module name, by attribute."""


def sizes(module: nn.Module) -> Sizes:
    """Every attribute of every module that is a whole number or a tuple of them: out_channels, groups, num_heads …"""
    return {
        name: {attribute: value for attribute, value in vars(part).items() if _is_size(value)}
        for name, part in module.named_modules()
    }


def _is_size(value: object) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(type(one) is int for one in value)
    return type(value) is int


def resize(module: nn.Module, stated: Sizes) -> None:
    """Give the modules these sizes. Raises AttributeError if one is missing."""
    for name, attributes in stated.items():
        part = module.get_submodule(name)
        for attribute, value in attributes.items():
            if getattr(part, attribute) != value:
                setattr(part, attribute, value)


def refill(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put tensors of any shape in the place of parameters and buffers; what was shared stays shared.

    Raises KeyError if `tensors` are not exactly those of the module's state.
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
            made = parameters.setdefault(id(before), nn.Parameter(tensors[name], before.requires_grad))
            setattr(part, leaf, made)
        else:
            setattr(part, leaf, tensors[name])
