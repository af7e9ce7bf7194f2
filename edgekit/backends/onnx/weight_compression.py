"""Weight compression of an exported ONNX graph: float16, int8 or int4 weights, and dynamic quantization.

Measured with onnxruntime 1.31 on x86 (minimum of one thread): half weights and int8 weights that are expanded as the
file is loaded run as quickly as float; a graph computed in half is up to 4 times slower; a dynamic product of matrices
is 2 to 3 times quicker than float, a dynamic convolution (ConvInteger) 6 to 11 times slower.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekit.backends.onnx.export import without_large_weights
from edgekit.backends.onnx.recurrent import quantize_recurrent
from edgekit.backends.onnx.scratch_weights import ScratchWeights, is_on_disk, place_of, read_into, values_of
from edgekit.errors import LoweringError
from edgekit.ir.stored_weights import is_matrix
from edgekit.passes.module_patterns import covers
from edgekit.passes.quantization.group_scales import grouped_weight
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

    from edgekit.ir.measurement import Array

WEIGHTS = {
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm", "MatMul"), (1,)),
    "Gather": (0,),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (1, 2)),
}
"""Operators whose weights are compressed, with the indices of the weights among their inputs."""
PRODUCTS = ("Gemm", "MatMul")
MICROSOFT = "com.microsoft"
"""Domain of onnxruntime's own operators."""
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

    if not _weighted(model.graph, recipe.kept) and not _has_integer_table(model.graph):
        raise LoweringError("no weight is left to make smaller", hint="check the patterns of [quantize] skip")
    if recipe.mode == "float16":
        _halve(model.graph, recipe.kept)
    if recipe.mode == "dynamic":
        model = _dynamic(read_into(model), recipe)  # onnxruntime's tool copies all weights, wherever they are
        quantize_recurrent(model, recipe.kept)
    if recipe.precision == "weight-int4":
        _pack(model, recipe)
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


def _weighted(graph: GraphProto, kept: Sequence[str]) -> list[tuple[NodeProto, TensorProto]]:
    """Operators with a float weight in the file, and that weight, except modules that `kept` covers."""
    from onnx import TensorProto

    floats = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}
    pairs = [
        (node, floats[node.input[index]])
        for node in graph.node
        for index in WEIGHTS.get(node.op_type, ())
        if node.input[index] in floats
    ]
    return [(node, tensor) for node, tensor in pairs if _is_weight(node, tensor) and not covers(_module(tensor), kept)]


def _is_weight(node: NodeProto, tensor: TensorProto) -> bool:
    """True unless `tensor` is a vector: a bias, or the scales of a table in int8, which are looked up like its rows."""
    return is_matrix(tensor.dims) if node.op_type == "Gather" else len(tensor.dims) > 1


def _module(tensor: TensorProto) -> str:
    """Module of a constant: `value_names` calls it `module.weight`, or `module/Operator.0`."""
    name: str = tensor.name
    return name.partition("/")[0] if "/" in name else name.rpartition(".")[0]


def _halve(graph: GraphProto, kept: Sequence[str]) -> None:
    """Store weights in half precision, with a Cast behind each, which onnxruntime folds at loading."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for _, tensor in _once(graph, kept):
        name = tensor.name
        half = values_of(tensor).astype(np.float16)
        if not np.isfinite(half).all():
            raise LoweringError(
                f"'{name}' holds numbers beyond 65504, which half precision lacks",
                hint=f"add '{_module(tensor)}' to [quantize] skip",
            )
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    _prepend(graph, casts)


def _round(graph: GraphProto, recipe: Quantize) -> None:
    """Store weights in int8, per-channel or per-tensor, with a DequantizeLinear behind each."""
    from onnx import helper, numpy_helper

    expanded = []
    for node, tensor in _once(graph, recipe.kept):
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
    if node.op_type in PRODUCTS and not _is_transposed(node):
        return rank - 1
    return 0


def _dynamic(model: ModelProto, recipe: Quantize) -> ModelProto:
    """Quantize matrix products dynamically to int8, by onnxruntime's own tool: activations are rounded at run time."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    names = _named_products(model, recipe.kept)
    if not names:
        return model
    _unroll(model.graph, set(names))  # the tool does so too, and then no longer knows the node by its name
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


def _pack(model: ModelProto, recipe: Quantize) -> None:
    """Replace matrix products by MatMulNBits: float activations, int4 weights, a scale for each group of inputs."""
    from onnx import numpy_helper

    graph, group = model.graph, recipe.weights.group
    names = set(_named_products(model, recipe.kept))
    _unroll(graph, names)
    floats = {tensor.name: tensor for tensor in graph.initializer}
    products = [node for node in graph.node if node.name in names]
    packed = {}
    for weight in dict.fromkeys(node.input[1] for node in products):
        values = values_of(floats[weight])
        if values.ndim == 2:  # the kernel takes no stack of matrices: `_round` stores it in int8
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


def _named_products(model: ModelProto, kept: Sequence[str]) -> list[str]:
    """Name the operators, which have no names. Returns those of the matrix products to compress."""
    for index, node in enumerate(model.graph.node):
        node.name = f"node-{index}"
    return [node.name for node, _ in _weighted(model.graph, kept) if node.op_type in PRODUCTS]


def _unroll(graph: GraphProto, names: set[str]) -> None:
    """Replace each Gemm of `names` by MatMul and Add, in place: MatMul has int4 and dynamic kernels."""
    from onnx import helper

    transposed = _transposed_weights(
        graph, [node for node in graph.node if node.name in names and _is_transposed(node)]
    )
    nodes = []
    for node in graph.node:
        if node.op_type != "Gemm" or node.name not in names:
            nodes.append(node)
            continue
        source, weight, *bias = node.input
        weight = transposed[weight] if _is_transposed(node) else weight
        product = f"{node.output[0]}.product" if bias else node.output[0]
        nodes.append(helper.make_node("MatMul", [source, weight], [product], name=node.name))
        if bias:
            nodes.append(helper.make_node("Add", [product, *bias], list(node.output), name=f"{node.name}-bias"))
    del graph.node[:]
    graph.node.extend(nodes)


def _transposed_weights(graph: GraphProto, nodes: Sequence[NodeProto]) -> dict[str, str]:
    """Transpose the weights of `nodes` in the file, each once. Returns their new names by the old ones.

    A weight that other nodes read too, such as an embedding table, is copied.
    """
    from onnx import numpy_helper

    names: dict[str, str] = {}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for weight in dict.fromkeys(node.input[1] for node in nodes):
        tensor = constants[weight]
        values = values_of(tensor).T
        readers = sum(list(node.input).count(weight) for node in graph.node)
        if readers == sum(node.input[1] == weight for node in nodes):
            names[weight] = weight
        else:
            names[weight] = f"{weight}.transposed"
            tensor = graph.initializer.add()
        if is_on_disk(constants[weight]):
            ScratchWeights(place_of(constants[weight])).store(tensor, values, names[weight])
        else:
            tensor.CopyFrom(numpy_helper.from_array(values.copy(), names[weight]))
    return names


def _is_transposed(node: NodeProto) -> bool:
    return any(attribute.name == "transB" and attribute.i for attribute in node.attribute)


def _once(graph: GraphProto, kept: Sequence[str]) -> list[tuple[NodeProto, TensorProto]]:
    """Operators and weights as `_weighted` lists them; a shared weight comes once, with its first operator."""
    first: dict[str, tuple[NodeProto, TensorProto]] = {}
    for node, tensor in _weighted(graph, kept):
        first.setdefault(tensor.name, (node, tensor))
    return list(first.values())


def _prepend(graph: GraphProto, nodes: Sequence[NodeProto]) -> None:
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])
