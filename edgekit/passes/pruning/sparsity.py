"""Zeros among the weights that stay zeros: two of every four along the inputs, or the smallest anywhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import torch
from torch import Tensor, nn

from edgekit.ir.program import PassRecord

PATTERNS = ("2:4", "unstructured")


def two_of_four(weight: Tensor) -> Tensor:
    """Bool, of the shape of `weight` [outputs, inputs, …]: True at the two largest of every four inputs in a row.

    What sparse tensor cores take (Mishra et al. 2021). The inputs must be a multiple of four.
    """
    outputs, inputs, *rest = weight.shape
    fours = weight.abs().reshape(outputs, inputs // 4, 4, *rest)
    best = fours.topk(2, dim=2).indices
    return torch.zeros_like(fours, dtype=torch.bool).scatter_(2, best, True).flatten(1, 2)


def smallest(weights: Mapping[str, Tensor], ratio: float) -> Mapping[str, Tensor]:
    """Bool by name: False at the share `ratio` of all weights that is smallest in magnitude."""
    magnitudes = torch.cat([weight.abs().flatten() for weight in weights.values()])
    threshold = magnitudes.kthvalue(max(1, round(ratio * magnitudes.numel()))).values
    return {name: weight.abs() > threshold for name, weight in weights.items()}


def prunable(module: nn.Module, examples: tuple[Tensor, ...], kept: Collection[str]) -> Mapping[str, Tensor]:
    """Weights by name, [outputs, inputs, …], of every layer whose inputs come in fours, but for the last that runs."""
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


def masks(module: nn.Module, history: Iterable[PassRecord]) -> Mapping[str, Tensor]:
    """Bool by parameter name, all names of shared ones: which weights a pruning of before did not set to zero."""
    options = [dict(record.options) for record in history if record.name == "prune"]
    if not any(option.get("pattern") in PATTERNS for option in options):
        return {}
    named = module.named_parameters(remove_duplicate=False)
    found = {name: weight.detach() != 0 for name, weight in named if weight.ndim > 1}
    return {name: mask for name, mask in found.items() if not bool(mask.all())}


def apply(module: nn.Module, kept: Mapping[str, Tensor]) -> None:
    """Set to zero every weight whose mask is False."""
    with torch.no_grad():
        for name, mask in kept.items():
            module.get_parameter(name).mul_(mask)
