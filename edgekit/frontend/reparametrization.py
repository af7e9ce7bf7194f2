"""Removal of reparametrizations of torch.nn.utils (weight norm, spectral norm …): weights become plain parameters."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm, SpectralNormLoadStateDictPreHook
from torch.nn.utils.weight_norm import WeightNorm


def remove_reparametrizations(network: nn.Module) -> None:
    """Replace, in place, each weight of `network` that torch computes by a parameter of the same value.

    The network must be in evaluation mode; it computes the same function.
    """
    for module in list(network.modules()):
        if parametrize.is_parametrized(module):
            _remove_parametrizations(module)
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, WeightNorm):
                remove_weight_norm(module, hook.name)
            elif isinstance(hook, SpectralNorm):
                remove_spectral_norm(module, hook.name)
                _forget_state(module)
            elif isinstance(hook, prune.BasePruningMethod):
                prune.remove(module, hook._tensor_name)  # type: ignore[no-untyped-call]


def _remove_parametrizations(module: nn.Module) -> None:
    """Remove parametrizations without torch's own function, which changes the class that copies of the module share."""
    weights = cast(nn.ModuleDict, module.parametrizations)
    with torch.no_grad():
        values = {name: getattr(module, name).clone() for name in weights}
    made_for = parametrize.type_before_parametrizations(module)
    del module.parametrizations
    module.__class__ = made_for
    for name, value in values.items():
        module.register_parameter(name, nn.Parameter(value))


def _forget_state(module: nn.Module) -> None:
    """Drop the hook that torch leaves behind, which looks for the parameters of a spectral norm in every state dict."""
    for key, hook in list(module._load_state_dict_pre_hooks.items()):
        if isinstance(getattr(hook, "hook", hook), SpectralNormLoadStateDictPreHook):
            del module._load_state_dict_pre_hooks[key]
