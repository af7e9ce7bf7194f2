"""Sparsity: masks of weights that are set to zero and stay so. 2:4 along the inputs, or unstructured by magnitude."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from edgekit.ir.program import PassRecord

PATTERNS = ("2:4", "unstructured")
PRODUCTS = {F.linear, F.conv1d, F.conv2d, F.conv3d}


def two_of_four(weight: Tensor) -> Tensor:
    """2:4 mask of `weight` [outputs, inputs, …], bool of its shape: True at the two largest of every four inputs.

    Sparse tensor cores take this pattern (Mishra et al. 2021). The inputs must be a multiple of four.
    """
    outputs, inputs, *rest = weight.shape
    fours = weight.abs().reshape(outputs, inputs // 4, 4, *rest)
    best = fours.topk(2, dim=2).indices
    return torch.zeros_like(fours, dtype=torch.bool).scatter_(2, best, True).flatten(1, 2)


def smallest(weights: Mapping[str, Tensor], ratio: float) -> Mapping[str, Tensor]:
    """Masks by name, bool: False at the share `ratio` of all weights that is smallest in magnitude."""
    magnitudes = torch.cat([weight.abs().flatten() for weight in weights.values()])
    threshold = magnitudes.kthvalue(max(1, round(ratio * magnitudes.numel()))).values
    return {name: weight.abs() > threshold for name, weight in weights.items()}


def prunable(module: nn.Module, examples: tuple[Tensor, ...], kept: Collection[str]) -> Mapping[str, Tensor]:
    """Weights by name, [outputs, inputs, …], of every layer whose inputs are a multiple of four.

    The last layer that runs, and those named in `kept`, are left out.
    """
    ran: list[str] = []
    layers = {
        name: layer
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)
    }
    hooks = [layer.register_forward_hook(lambda *_, name=name: ran.append(name)) for name, layer in layers.items()]
    with torch.no_grad():
        module(*examples)
    for hook in hooks:
        hook.remove()
    return {
        f"{name}.weight": layer.weight.detach()
        for name, layer in layers.items()
        if name in ran[:-1] and name not in kept and layer.weight.shape[1] % 4 == 0
    }


def dense(module: nn.Module, examples: tuple[Tensor, ...], weights: Mapping[str, Tensor]) -> list[str]:
    """Names of `weights` whose zeros do not reach the product: the network multiplies by values computed from them."""
    probe = copy.deepcopy(module)
    halves = {name: two_of_four(weight) for name, weight in weights.items()}
    apply(probe, halves)
    factors = _Factors()
    for name in weights:
        factors.watch(name, probe.get_submodule(name.rpartition(".")[0]))
    with torch.no_grad(), factors:
        probe(*examples)
    return [name for name, half in halves.items() if bool(factors.weights[name][~half].any())]


class _Factors(TorchFunctionMode):
    """Records the weights with which convolutions and linear layers multiply, while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: dict[str, Tensor] = {}
        self._name = ""

    def watch(self, name: str, layer: nn.Module) -> None:
        """Record under `name` the weight with which `layer` multiplies."""

        def within(name: str) -> None:
            self._name = name

        layer.register_forward_pre_hook(lambda *_: within(name))
        layer.register_forward_hook(lambda *_: within(""))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self._name and func in PRODUCTS:
            self.weights[self._name] = (*args, *(kwargs or {}).values())[1]
        return func(*args, **(kwargs or {}))


def masks(module: nn.Module, history: Iterable[PassRecord]) -> Mapping[str, Tensor]:
    """Masks by parameter name, bool: True where an earlier pruning kept the weight. Shared weights have every name."""
    options = [dict(record.options) for record in history if record.name == "prune"]
    if not any(option.get("pattern") in PATTERNS for option in options):
        return {}
    named = module.named_parameters(remove_duplicate=False)
    nonzero = {name: weight.detach() != 0 for name, weight in named if weight.ndim > 1}
    return {name: mask for name, mask in nonzero.items() if not bool(mask.all())}


def apply(module: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set to zero, in place, every weight whose mask is False."""
    with torch.no_grad():
        for name, mask in masks.items():
            module.get_parameter(name).mul_(mask)
