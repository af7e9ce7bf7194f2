"""Cost of one inference in eager torch: multiply-accumulates, and time on one thread."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from edgekit.passes.base import one_thread

ROUNDS = 24
"""Timed inferences of each network: the shortest is the time on an idle machine."""


def macs(module: nn.Module, examples: tuple[Tensor, ...]) -> dict[str, float]:
    """Multiply-accumulates of one forward by module name, those of the whole network under the empty name.

    A module's count includes those of the modules inside it. Convolutions, matrix products and attention, as torch
    counts them.
    """
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
    """Multiply-accumulates by module name, without those of the modules inside; modules that have none are left out."""
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
    """Seconds of the shortest of `ROUNDS` inferences of each network, taken in turns on one thread."""
    best = [float("inf")] * len(modules)
    with one_thread(), torch.no_grad():
        for _ in range(ROUNDS):
            for number, module in enumerate(modules):
                started = time.perf_counter()
                module(*examples)
                best[number] = min(best[number], time.perf_counter() - started)
    return best
