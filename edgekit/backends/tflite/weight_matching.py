"""Matching of weights: those of a module are recognized in a converted .tflite by their values, for names are lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from edgekit.ir.measurement import Array
from edgekit.passes.module_patterns import is_skipped, module_path

if TYPE_CHECKING:
    from torch.export import ExportedProgram

aten = torch.ops.aten
PLACES = {
    aten.conv1d.default: 1,
    aten.conv2d.default: 1,
    aten.conv3d.default: 1,
    aten.conv_transpose2d.input: 1,
    aten.linear.default: 1,
    aten.embedding.default: 0,
}
"""Operators that have weights, with the index of the weight among their arguments."""
ALIKE = 0.999
"""Least cosine of two channels that are equal up to a scale, such as that of a folded batch norm."""


@dataclass(frozen=True)
class ModuleWeight:
    """Weight of a module, as in torch."""

    module: str
    values: Array
    channels_first: bool
    """True if axis 0 is that of the output channels; in a transposed convolution it is that of the inputs."""

    @property
    def rows(self) -> Array:
        """Weight as float [channels, rest]; in each channel the window comes before the inputs, as LiteRT stores it."""
        values = self.values if self.channels_first else self.values.swapaxes(0, 1)
        return np.moveaxis(values, 1, -1).reshape(len(values), -1)


def kept_weights(exported: ExportedProgram, patterns: Sequence[str]) -> Iterator[ModuleWeight]:
    """Weights of the modules that stay in float. patterns: their names."""
    constants = {**exported.state_dict, **exported.constants}
    signature = exported.graph_signature
    names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    for node in exported.graph.nodes:
        if node.target not in PLACES or not is_skipped(node, patterns):
            continue
        stored = constants.get(names.get(node.args[PLACES[node.target]].name, ""))
        if stored is not None:
            values = stored.detach().numpy()
            yield ModuleWeight(module_path(node), values, node.target is not aten.conv_transpose2d.input)


def holds(stored: Array, weight: ModuleWeight) -> bool:
    """True if an operator's `stored` weights are those of `weight`, up to a scale of each channel."""
    expected = weight.rows
    # Depthwise ones count channels last: 1, height, width, channels.
    forms = [stored.reshape(len(stored), -1), stored.reshape(-1, stored.shape[-1]).T]
    return any(form.shape == expected.shape and _parallel(form, expected) for form in forms)


def _parallel(left: Array, right: Array) -> bool:
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return bool(np.all(np.abs((left * right).sum(1)) >= ALIKE * lengths))
