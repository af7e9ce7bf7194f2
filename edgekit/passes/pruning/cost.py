"""What one inference costs in eager torch: multiply-accumulates, and time on one thread."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from edgekit.passes.base import one_thread

ROUNDS = 24
"""Turns that every network has: the least of them is what the machine takes when nothing else is going on."""


def macs(module: nn.Module, examples: tuple[Tensor, ...]) -> dict[str, float]:
    """Multiply-accumulates of one forward by module name, that of the whole under the empty name; what is inside others
    is counted for those too. Convolutions, matrix products and attention, as torch counts them."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module(*examples)
    root = type(module).__name__
    counted = {
        name.removeprefix(root).removeprefix("."): sum(counts.values()) / 2
        for name, counts in counter.get_flop_counts().items()
        if name != "Global"
    }
    return {**counted, "": counter.get_total_flops() / 2}


def own_macs(module: nn.Module, examples: tuple[Tensor, ...]) -> dict[str, float]:
    """As `macs`, but without those of the modules inside; modules that have none are left out."""
    counted = macs(module, examples)
    inside = dict.fromkeys(counted, 0.0)
    for name, count in counted.items():
        parent = name
        while parent:
            parent = parent.rpartition(".")[0]
            if parent in counted:
                inside[parent] += count
                break
    return {name: count - inside[name] for name, count in counted.items() if count > inside[name]}


def seconds(modules: Sequence[nn.Module], examples: tuple[Tensor, ...]) -> list[float]:
    """The quickest of some inferences of each network, taken in turns on one thread."""
    best = [float("inf")] * len(modules)
    with one_thread(), torch.no_grad():
        for _ in range(ROUNDS):
            for number, module in enumerate(modules):
                started = time.perf_counter()
                module(*examples)
                best[number] = min(best[number], time.perf_counter() - started)
    return best
