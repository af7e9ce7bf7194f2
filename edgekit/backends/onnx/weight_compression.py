"""Weight compression of an exported ONNX graph: float16, int8 or int4 weights, and dynamic quantization.

Measured with onnxruntime 1.31 on x86 (minimum of one thread): half weights and int8 weights that are expanded as the
file is loaded run as quickly as float; a graph computed in half is up to 4 times slower; a dynamic product of matrices
is 2 to 3 times quicker than float, a dynamic convolution (ConvInteger) 6 to 11 times slower.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekit.backends.onnx.export import without_large_weights
from edgekit.backends.onnx.matmul_nbits import pack_products
from edgekit.backends.onnx.recurrent import quantize_recurrent
from edgekit.backends.onnx.scratch_weights import read_into, values_of
from edgekit.backends.onnx.weighted_operators import (
    PRODUCTS,
    first_readers,
    is_transposed,
    module_of,
    named_products,
    unroll_products,
    weighted_operators,
)
from edgekit.errors import LoweringError
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

    from edgekit.ir.measurement import Array

UNFOLD = ("session.disable_quant_qdq", "1")
"""Session option with which onnxruntime expands int8 weights once, at loading, not at every inference."""


def compress_weights(model: ModelProto, recipe: Quantize) -> ModelProto:
    """Compress the weights of a model as `recipe` says: float16, dynamic-int8, weight-int8 or weight-int4.

    model: its embedding tables are in int8 already, but for float16. Returns the model, changed in place, or another: a
    copy would hold all weights once more. If matrix products are dynamic or in int4, convolutions have int8 weights,
    which are expanded at loading. The same input gives the same bytes. Raises LoweringError if there is no weight to
    compress.
    """
    import onnx

    if not weighted_operators(model.graph, recipe.kept) and not _has_integer_table(model.graph):
        raise LoweringError("no weight is left to make smaller", hint="check the patterns of [quantize] skip")
    if recipe.mode == "float16":
        _halve(model.graph, recipe.kept)
    if recipe.mode == "dynamic":
        model = _dynamic(read_into(model), recipe)  # onnxruntime's tool copies all weights, wherever they are
        quantize_recurrent(model, recipe.kept)
    if recipe.precision == "weight-int4":
        pack_products(model, recipe)
    if recipe.mode != "float16":
        _round(model.graph, recipe)
    for node in model.graph.node:
        node.ClearField("name")
    onnx.checker.check_model(without_large_weights(model))
    return model


def _has_integer_table(graph: GraphProto) -> bool:
    """True if rows of integers are looked up."""
    from onnx import TensorProto

    integers = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.INT8}
    return any(node.op_type == "Gather" and node.input[0] in integers for node in graph.node)


def _halve(graph: GraphProto, kept: Sequence[str]) -> None:
    """Store weights in half precision, with a Cast behind each, which onnxruntime folds at loading."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for _, tensor in first_readers(graph, kept):
        name = tensor.name
        half = values_of(tensor).astype(np.float16)
        if not np.isfinite(half).all():
            raise LoweringError(
                f"'{name}' holds numbers beyond 65504, which half precision lacks",
                hint=f"add '{module_of(tensor)}' to [quantize] skip",
            )
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    _prepend(graph, casts)


def _round(graph: GraphProto, recipe: Quantize) -> None:
    """Store weights in int8, per-channel or per-tensor, with a DequantizeLinear behind each."""
    from onnx import helper, numpy_helper

    expanded = []
    for node, tensor in first_readers(graph, recipe.kept):
        name, values = tensor.name, values_of(tensor)
        axis = None if recipe.weights.granularity == "per-tensor" else _axis(node, values.ndim)
        integers, scale = rounded(values, axis)
        tensor.CopyFrom(numpy_helper.from_array(integers, f"{name}.q"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
        along = {} if axis is None else {"axis": axis}
        expanded.append(helper.make_node("DequantizeLinear", [tensor.name, f"{name}.scale"], [name], **along))
    _prepend(graph, expanded)


def rounded(values: Array, axis: int | None) -> tuple[Array, Array]:
    """Round `values` to int8 in [-127, 127].

    Returns integers, and float32 scales: one for each index of `axis`, or one.

    Symmetric min-max: the largest magnitude becomes 127.
    """
    others = tuple(i for i in range(values.ndim) if i != axis)
    largest = np.abs(values).max(axis=None if axis is None else others, keepdims=True)
    scale = np.maximum(largest / 127, np.finfo(np.float32).tiny).astype(np.float32)
    integers = np.clip(np.rint(values / scale), -127, 127).astype(np.int8)
    return integers, scale.reshape(()) if axis is None else scale.ravel()


def _axis(node: NodeProto, rank: int) -> int:
    """Axis of the output channels in an operator's weight, or of the rows of an embedding table."""
    if node.op_type in ("ConvTranspose", "LSTM", "GRU", "RNN"):  # these: directions, gates, inputs
        return 1
    if node.op_type in PRODUCTS and not is_transposed(node):
        return rank - 1
    return 0


def _dynamic(model: ModelProto, recipe: Quantize) -> ModelProto:
    """Quantize matrix products dynamically to int8, by onnxruntime's own tool: activations are rounded at run time."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    names = named_products(model, recipe.kept)
    if not names:
        return model
    unroll_products(model.graph, set(names))  # the tool does so too, and then no longer knows the node by its name
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        quantize_dynamic(
            model,
            path,
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=names,
            per_channel=recipe.weights.granularity != "per-tensor",
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
        quantized = onnx.load(path)
    for field in ("producer_name", "producer_version", "doc_string"):
        quantized.ClearField(field)
    quantized.graph.ClearField("value_info")
    return quantized


def _prepend(graph: GraphProto, nodes: Sequence[NodeProto]) -> None:
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])
