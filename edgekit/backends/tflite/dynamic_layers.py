"""Hybrid FULLY_CONNECTED of LiteRT: float input and output, int8 weights; the kernel rounds each row as it comes.

The converter makes none: it is given the layer in float, and the file then gets the integers of the program and a scale
for each output. Where the converter has multiplied a factor of the input into the weights, as the one of a layer norm,
the product is rounded instead.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from torch.fx import GraphModule, Node

from edgekit.backends.tflite.constant_references import ConstantReferences
from edgekit.backends.tflite.embedding_lookup import clear_unread, integer_buffer
from edgekit.errors import LoweringError
from edgekit.ir.measurement import Array
from edgekit.passes.module_patterns import module_path
from edgekit.passes.quantization.dynamic_rounding import is_dynamic_rounding, without_dynamic_roundings
from edgekit.passes.quantization.weighted_layers import value

WEIGHT = 1
"""Index of the weight among the inputs of FULLY_CONNECTED."""
ALIKE, ROUNDS, HIGH = 1e-3, 4, 127
"""Largest difference of the logarithms of equal factors, steps in which these are found, and the largest integer."""


@dataclass(frozen=True)
class DynamicWeight:
    """Weight of a dynamic layer: float32 and int8 [outputs, inputs], and float32 scales [outputs]."""

    module: str
    real: Array
    integers: Array
    scales: Array

    def form(self, stored: Array) -> DynamicWeight | None:
        """Weight in the place of `stored`, in which the converter may have multiplied factors of inputs and outputs.

        None if that is another weight.
        """
        if stored.shape != self.real.shape:
            return None
        if np.array_equal(stored, self.real):
            return self
        if not _is_scaled(stored, self.real):
            return None
        scales = np.maximum(np.abs(stored).max(1) / HIGH, np.finfo(np.float32).tiny).astype(np.float32)
        return DynamicWeight(self.module, stored, np.rint(stored / scales[:, None]).astype(np.int8), scales)


def _is_scaled(stored: Array, real: Array) -> bool:
    """True if `stored` is `real` times a factor for each row, and one for each column."""
    is_known = np.abs(real) > ALIKE * np.abs(real).max()
    if not is_known.any() or not stored[is_known].all():
        return False
    left = np.where(is_known, np.log(np.abs(np.where(is_known, stored, 1) / np.where(is_known, real, 1))), 0)
    for _ in range(ROUNDS):
        for axis in (1, 0):
            mean = left.sum(axis, keepdims=True) / np.maximum(is_known.sum(axis, keepdims=True), 1)
            left = np.where(is_known, left - mean, 0)
    return bool(np.abs(left).max() < ALIKE)


def real_weights(module: GraphModule) -> Iterator[DynamicWeight]:
    """Give each dynamic layer its input and its weights in float, in place. Yields the weights."""
    roundings = [node for node in module.graph.nodes if node.op == "call_function" and is_dynamic_rounding(node)]
    for layer in dict.fromkeys(reader for rounding in roundings for reader in rounding.users):
        dequantize = layer.args[1]
        assert isinstance(dequantize, Node)
        quantize = dequantize.all_input_nodes[0]
        source, *parameters = quantize.args
        assert isinstance(source, Node)
        real = value(module, source).detach()
        arguments = [value(module, each) if isinstance(each, Node) else each for each in parameters]
        integers = quantize.target(real, *arguments)  # type: ignore[operator]
        scales = np.broadcast_to(np.asarray(arguments[0], np.float32).reshape(-1), len(real))
        yield DynamicWeight(module_path(layer), real.numpy(), integers.numpy(), scales.copy())
        layer.replace_input_with(dequantize, source)
    if roundings:
        without_dynamic_roundings(module)


def with_dynamic_layers(
    content: bytes, weights: Sequence[DynamicWeight], references: ConstantReferences | None = None
) -> bytes:
    """Store `weights` in the file as integers; `content` itself if there are none.

    references: constants whose marks are in `content`.

    Raises LoweringError if a layer did not become a FULLY_CONNECTED.
    """
    if not weights:
        return content
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    if references:
        references.restore(model)
    left = {weight.module for weight in weights}
    for graph in model.subgraphs:
        for operator in graph.operators:
            stored = _float_weight(model, graph, operator)
            forms = [form for each in weights if stored is not None and (form := each.form(stored)) is not None]
            if forms:
                _store(graph, operator, forms[0], integer_buffer(model, forms[0].integers))
                left -= {form.module for form in forms}
    if left:
        raise LoweringError(
            f"the converter made no layer of int8 weights of '{min(left)}', whose inputs are rounded at run time",
            hint=f"quantize.overrides: 'float32' in place of 'dynamic-int8' for '{min(left)}', or another --backend",
        )
    clear_unread(model)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _float_weight(model: Any, graph: Any, operator: Any) -> Array | None:
    """Weight that a FULLY_CONNECTED reads in float; None for other operators and weights."""
    if model.operatorCodes[operator.opcodeIndex].builtinCode != schema.BuiltinOperator.FULLY_CONNECTED:
        return None
    tensor = graph.tensors[operator.inputs[WEIGHT]]
    data = model.buffers[tensor.buffer].data
    if data is None or tensor.type != schema.TensorType.FLOAT32:
        return None
    return np.frombuffer(bytes(data), "<f4").reshape(tensor.shape)


def _store(graph: Any, operator: Any, weight: DynamicWeight, buffer: int) -> None:
    """Let the operator read the integers in a buffer, in place; the float weight stays for other readers."""
    place = operator.inputs[WEIGHT]
    tensor = graph.tensors[place]
    if sum(place in each.inputs for each in graph.operators) > 1:
        tensor = copy.copy(tensor)
        graph.tensors.append(tensor)
        operator.inputs = [*operator.inputs[:WEIGHT], len(graph.tensors) - 1, *operator.inputs[WEIGHT + 1 :]]
    tensor.type, tensor.quantization = schema.TensorType.INT8, schema.QuantizationParametersT()
    tensor.quantization.scale = weight.scales
    tensor.quantization.zeroPoint = np.zeros(len(weight.scales), np.int64)
    tensor.buffer = buffer
