"""Layers of the preprocessing that stay in float in every precision, which shares of integers do not count."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.passes.module_patterns import FLOAT_PART, module_path

if TYPE_CHECKING:
    from torch.export import ExportedProgram


@dataclass(frozen=True)
class FixedLayers:
    """Elements of the weights of each layer, and the multiply-accumulates of all for one sample."""

    elements: tuple[int, ...]
    macs: int


def fixed_layers(exported: ExportedProgram) -> FixedLayers:
    """Find the convolutions of the spectrum: no recipe makes them smaller, and no network learns them."""
    import torch

    elements, macs = [], 0
    for node in exported.graph.nodes:
        if node.target is torch.ops.aten.conv1d.default and FLOAT_PART in module_path(node).split("."):
            elements.append(math.prod(node.args[1].meta["val"].shape))
            macs += elements[-1] * node.meta["val"].shape[-1]
    return FixedLayers(tuple(elements), macs)
