"""Matrix products with int4 weights: onnxruntime's operator MatMulNBits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from edgekit.backends.onnx.scratch_weights import values_of
from edgekit.backends.onnx.weighted_operators import named_products, unroll_products
from edgekit.passes.quantization.group_scales import grouped_weight
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

    from edgekit.ir.measurement import Array

MICROSOFT = "com.microsoft"
"""Domain of onnxruntime's own operators."""


def pack_products(model: ModelProto, recipe: Quantize) -> None:
    """Replace matrix products by MatMulNBits: float activations, int4 weights, a scale for each group of inputs."""
    from onnx import numpy_helper

    graph, group = model.graph, recipe.weights.group
    names = set(named_products(model, recipe.kept))
    unroll_products(graph, names)
    floats = {tensor.name: tensor for tensor in graph.initializer}
    products = [node for node in graph.node if node.name in names]
    packed = {}
    for weight in dict.fromkeys(node.input[1] for node in products):
        values = values_of(floats[weight])
        if values.ndim == 2:  # the kernel takes no stack of matrices: these are stored in int8
            packed[weight] = values.shape
            for tensor in (*_packed(values, group),):
                name = f"{weight}{'_scales' if tensor.dtype == np.float32 else '_Q4'}"
                graph.initializer.append(numpy_helper.from_array(tensor, name))
    for node in products:
        if node.input[1] in packed:
            _multiply_packed(node, packed[node.input[1]], group)
    if packed and all(each.domain != MICROSOFT for each in model.opset_import):
        model.opset_import.add(domain=MICROSOFT, version=1)
    _drop_unread(graph, packed)


def _packed(values: Array, group: int) -> tuple[Array, Array]:
    """Weights [inputs, outputs] as MatMulNBits reads them.

    Two integers a byte, the first in the low half, with 8 added: uint8 [outputs, groups, group / 2]. Scales float32
    [outputs, groups].
    """
    import torch

    rounded = grouped_weight(torch.from_numpy(np.ascontiguousarray(values.T)), group)
    outputs, groups = rounded.scales.shape
    padded = np.zeros((outputs, groups * group), np.uint8)
    padded[:, : len(values)] = rounded.integers.numpy()
    nibbles = (padded + np.uint8(8)).reshape(outputs, groups, group // 2, 2)
    return nibbles[..., 0] | nibbles[..., 1] << 4, rounded.scales.numpy()


def _multiply_packed(node: NodeProto, shape: tuple[int, ...], group: int) -> None:
    """Make a MatMul by a weight [inputs, outputs] a MatMulNBits, in place."""
    from onnx import helper

    weight = node.input[1]
    node.op_type, node.domain = "MatMulNBits", MICROSOFT
    node.input[1] = f"{weight}_Q4"
    node.input.append(f"{weight}_scales")
    options = {"K": shape[0], "N": shape[1], "bits": 4, "block_size": group}
    node.attribute.extend(helper.make_attribute(name, value) for name, value in options.items())


def _drop_unread(graph: GraphProto, names: Iterable[str]) -> None:
    """Drop those of the constants `names` that no operator reads any more, in place."""
    read = {name for node in graph.node for name in node.input}
    left = [tensor for tensor in graph.initializer if tensor.name in read or tensor.name not in names]
    del graph.initializer[:]
    graph.initializer.extend(left)
