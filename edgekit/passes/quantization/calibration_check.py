"""Check for distribution shift: calibration data against the statistics that the first batch norm was trained with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

    from edgekit.passes.base import Sample

SHIFT, SHIFT_OF_ONE = 0.3, 0.6
"""Largest shift of the median channel's mean, in standard deviations, and the allowance for one sample.

The allowance for n samples is 1 / sqrt(n) of that for one. On CIFAR-10 500 samples were 0.01 off, single ones up to
0.63; pixels of half the range 0.41, black ones 0.72.
"""
SPREAD, SPREAD_OF_ONE = 1.0, 1.0
"""Largest change of the variance, in powers of two, and the allowance for one sample.

500 samples were 0.1 off, single ones up to 1.4; pixels of half the range 1.5.
"""


def distribution_shift(exported: ExportedProgram, samples: Sequence[Sample]) -> str | None:
    """Warning, in words, that the calibration set differs from the training set; None if it does not.

    The running mean and variance of the first batch norm come from the training data; they are compared with mean and
    variance of the same channels on `samples`. The median channel counts, so that one odd channel does not. None also
    if the program has no trained batch norm.
    """
    import torch

    from edgekit.passes.quantization.simulate import unguarded
    from edgekit.passes.quantization.weighted_layers import value

    module = unguarded(exported.module())
    norm = next((node for node in module.graph.nodes if _is_batch_norm(node)), None)
    if norm is None or not samples:
        return None
    mean, variance = (value(module, constant).double() for constant in norm.args[3:5])
    if bool((mean == 0).all()) and bool((variance == 1).all()):
        return None  # initial values: nothing was trained
    seen_mean, seen_variance = _moments(_until(module, norm), samples)
    shift = float(((seen_mean - mean).abs() / variance.clamp_min(1e-12).sqrt()).median())
    spread = float(torch.log2(seen_variance.clamp_min(1e-12) / variance.clamp_min(1e-12)).median())
    chance = 1 / math.sqrt(len(samples))
    if shift <= SHIFT + SHIFT_OF_ONE * chance and abs(spread) <= SPREAD + SPREAD_OF_ONE * chance:
        return None
    where = module_name(norm)
    return (
        f"calibration data do not look like the training data: before '{where}' the mean is {shift:.2g} standard "
        f"deviations off and the variance {2**spread:.2g} times what it was in training; check [inputs] preprocess and "
        "the calibration set"
    )


def module_name(node: Node) -> str:
    """Name of the module of `node`, or of the node itself if it has none."""
    from edgekit.passes.module_patterns import module_path

    return module_path(node) or node.name


def _is_batch_norm(node: Node) -> bool:
    import torch

    return node.target is torch.ops.aten.batch_norm.default and all(
        getattr(constant, "op", None) == "get_attr" for constant in node.args[3:5]
    )


def _until(module: GraphModule, norm: Node) -> GraphModule:
    """Part of the program that computes the input of `norm`."""
    from torch.fx.graph import CodeGen

    from edgekit.passes.quantization.simulate import unguarded

    copy = unguarded(module)
    copy.graph.set_codegen(CodeGen())  # the exported one packs as many outputs as the program had
    twin = next(node for node in copy.graph.nodes if node.name == norm.name)
    output = next(node for node in copy.graph.nodes if node.op == "output")
    output.args = (twin.args[0],)
    copy.graph.eliminate_dead_code()
    copy.recompile()
    return copy


def _moments(module: Any, samples: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    """Mean and variance of every channel (axis 1), float64 [channels]."""
    import torch

    totals: list[Tensor] = []
    with torch.no_grad():
        for sample in samples:
            x = module(*sample).double()
            flat = x.movedim(1, 0).reshape(x.shape[1], -1)
            totals.append(torch.stack([flat.mean(1), flat.square().mean(1)]))
    mean, square = torch.stack(totals).mean(0)
    return mean, square - mean**2
