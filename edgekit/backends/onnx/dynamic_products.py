"""Dynamic products on integers: DynamicQuantizeLinear and MatMulInteger, which onnxruntime fuses to one kernel.

A program states such a product as one of values that are rounded by their range at run time, and dequantized.
onnxruntime would compute that in float: it makes an integer kernel only of the operators that its own tool for dynamic
quantization writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from edgekit.backends.onnx.scratch_weights import ScratchWeights, is_on_disk, place_of, values_of

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

PRODUCTS = ("Gemm", "MatMul")
RANGES = "DynamicQuantizeLinear"


def dynamic_roundings() -> dict[Any, Callable[..., Any]]:
    """Translations, for the exporter, of a rounding by the range at run time."""
    import torch
    from onnxscript import opset18 as op

    def ranges(x: Any, low: int, high: int, eps: float, dtype: int) -> Any:
        _, scale, zero_point = op.DynamicQuantizeLinear(x)
        return scale, zero_point

    def quantize(x: Any, scale: Any, zero_point: Any, low: int, high: int, dtype: int) -> Any:
        return op.QuantizeLinear(x, scale, zero_point)

    def dequantize(x: Any, scale: Any, zero_point: Any, low: int, high: int, dtype: int, out_dtype: int = -1) -> Any:
        return op.DequantizeLinear(x, scale, zero_point)

    import torch.ao.quantization.fx._decomposed

    operators = torch.ops.quantized_decomposed
    return {
        operators.choose_qparams.tensor: ranges,
        operators.quantize_per_tensor.tensor: quantize,
        operators.dequantize_per_tensor.tensor: dequantize,
    }


def with_dynamic_products(model: ModelProto) -> ModelProto:
    """Write each product of values that are rounded at run time on integers, in place; other models stay as they are.

    One factor may be a constant [outputs, inputs] or its transpose, with a scale an output or one.
    """
    if not any(node.op_type == RANGES for node in model.graph.node):
        return model
    graph = _Graph(model.graph)
    nodes = [new for node in model.graph.node for new in graph.written(node)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    _drop_unread(model.graph)
    return model


class _Graph:
    """Graph with its constants, and with the makers of its values."""

    def __init__(self, graph: GraphProto) -> None:
        self.graph = graph
        self.makers = {name: node for node in graph.node for name in node.output}
        self.constants: dict[str, TensorProto] = {tensor.name: tensor for tensor in graph.initializer}

    def written(self, node: NodeProto) -> Iterator[NodeProto]:
        """Yield the nodes in the place of `node`; itself, unless it is a dynamic product."""
        factors = [self._factor(node, place) for place in (0, 1)] if node.op_type in PRODUCTS else [None]
        if None in factors or _number(node, "transA"):
            yield node
        else:
            yield from _product(node, *(factor for factor in factors if factor))

    def _factor(self, node: NodeProto, place: int) -> tuple[str, str, str] | None:
        """Integers, scale and zero point of a factor; None if it is neither rounded at run time nor a rounded weight.

        The name of the zero point is empty where it is 0.
        """
        is_transposed = place == 1 and _number(node, "transB") == 1
        maker = self.makers.get(node.input[place])
        while maker is not None and maker.op_type == "Transpose" and self._is_weight(maker.input[0]):
            is_transposed, maker = not is_transposed, self.makers.get(maker.input[0])
        if maker is None or maker.op_type != "DequantizeLinear":
            return None
        ranges = self.makers.get(maker.input[1])
        if ranges is not None and ranges.op_type == RANGES and not is_transposed:
            return ranges.output[0], ranges.output[1], ranges.output[2]
        if place == 0 or not self._is_weight(maker.output[0]):
            return None
        integers = self._transposed(maker.input[0]) if is_transposed else maker.input[0]
        return integers, maker.input[1], ""

    def _is_weight(self, name: str) -> bool:
        """True for a matrix that is dequantized, directly or behind transpositions."""
        maker = self.makers.get(name)
        while maker is not None and maker.op_type == "Transpose":
            maker = self.makers.get(maker.input[0])
        stored = self.constants.get(maker.input[0]) if maker is not None else None
        return (
            maker is not None and maker.op_type == "DequantizeLinear" and stored is not None and len(stored.dims) == 2
        )

    def _transposed(self, name: str) -> str:
        from onnx import numpy_helper

        new, stored = f"{name}.transposed", self.constants[name]
        if new not in self.constants:
            tensor, values = self.graph.initializer.add(), values_of(stored).T
            if is_on_disk(stored):
                ScratchWeights(place_of(stored)).store(tensor, values, new)
            else:
                tensor.CopyFrom(numpy_helper.from_array(values.copy(), new))
            self.constants[new] = tensor
        return new


def _product(node: NodeProto, left: tuple[str, str, str], right: tuple[str, str, str]) -> Iterator[NodeProto]:
    """Yield the form of a product that onnxruntime fuses."""
    from onnx import TensorProto, helper

    stem, bias = node.output[0], list(node.input[2:])
    sums, real, scales = (f"{stem}.{part}" for part in ("sums", "real", "scales"))
    result = f"{stem}.product" if bias else stem
    zero_points = [left[2], right[2]] if right[2] else [left[2]]
    yield helper.make_node("MatMulInteger", [left[0], right[0], *zero_points], [sums])
    yield helper.make_node("Cast", [sums], [real], to=TensorProto.FLOAT)
    yield helper.make_node("Mul", [left[1], right[1]], [scales])
    yield helper.make_node("Mul", [real, scales], [result])
    if bias:
        yield helper.make_node("Add", [result, *bias], [stem])


def _number(node: NodeProto, name: str) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == name), 0)


def _drop_unread(graph: GraphProto) -> None:
    """Drop nodes and constants that nothing reads any more, in place."""
    read = {value.name for value in graph.output}
    kept: list[NodeProto] = []
    for node in reversed(graph.node):
        if read.intersection(node.output):
            kept.append(node)
            read.update(_reads(node))
    remaining = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(remaining)


def _reads(node: NodeProto) -> Iterator[str]:
    """Names of the values that a node reads, and the graphs inside it."""
    yield from node.input
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            for each in inner.node:
                yield from _reads(each)
