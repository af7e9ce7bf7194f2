"""Decomposition of hard-swish and clamps in an exported Q/DQ graph, so that onnxruntime runs them on integers.

Without it, each hard-swish is four nodes in float (dequantize, hard-sigmoid, multiply, quantize). Its factor
`clamp(x / 6 + 1/2, 0, 1)` needs no arithmetic: with scale `s / 6` and zero point `z - 3 / s` the integers that stand
for x stand for `x / 6 + 1/2`, and a clamp of integers is quick. What is left is one QLinearMul.

Clamps whose bounds the quantization after them enforces by saturation are dropped: onnxruntime does so for some, and
fuses the others into a convolution in float.
"""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx_ir import Graph, Model, Node, Value
    from onnx_ir.tape import Tape

    from edgekit.ir.measurement import Array

FEW_CHANNELS = 4
"""Number of channels up to which a constant is widened: fewer than a vector register holds, as in an image."""


def decompose(model: Model, kept: Container[str] = ()) -> None:
    """Rewrite hard-swish after DQ, and drop clamps before Q, in place.

    kept: types of operators that stay as they are, for an accelerator that has a kernel of its own for them.
    Averages stay ReduceMean: with GlobalAveragePool, which has an integer kernel, onnxruntime leaves transposes around
    each where the pixels of the input are channels last.
    """
    for node in list(model.graph):
        if node.op_type in kept:
            continue
        if node.op_type == "HardSwish":
            _hard_swish(model.graph, node)
        elif node.op_type in ("Mul", "Add"):
            _widen(node)
        elif node.op_type == "Clip":
            _drop_clamp(model.graph, node)


def _hard_swish(graph: Graph, node: Node) -> None:
    from onnx_ir.tape import Tape

    source = node.inputs[0]
    dequantize = source.producer() if source else None
    if source is None or dequantize is None or dequantize.op_type != "DequantizeLinear" or len(dequantize.inputs) < 3:
        return
    scale, zero = _constant(dequantize.inputs[1]), _constant(dequantize.inputs[2])
    if scale is None or zero is None or scale.size != 1:
        return
    limits, step = np.iinfo(zero.dtype), float(scale.item())
    shifted = round(zero.item() - 3 / step)
    if not limits.min <= shifted <= limits.max:
        return  # the range does not reach down to -3: nothing stands for 0
    above = min(limits.max, round(shifted + 6 / step))
    notes, tape = dict(node.metadata_props), Tape()
    low, high = (_stored(tape, node, name, value, zero) for name, value in (("low", shifted), ("high", above)))
    sixth = _stored(tape, node, "sixth", step / 6, scale)
    clamped = tape.op("Clip", [dequantize.inputs[0], low, high], metadata_props=notes)
    factor = tape.op("DequantizeLinear", [clamped, sixth, low], metadata_props=notes)
    _replace(graph, node, tape, tape.op("Mul", [source, factor], metadata_props=notes))


def _widen(node: Node) -> None:
    """Repeat a constant of few channels along the width: channels last, it then multiplies rows, not single pixels."""
    import onnx_ir as ir

    source, constant = node.inputs
    factor = _constant(constant)
    if source is None or source.shape is None or constant is None or factor is None or len(source.shape) != 4:
        return
    if len(constant.uses()) > 1:
        return  # another reader may be of another width
    width = source.shape[3]
    if isinstance(width, int) and factor.shape == (1, factor.size, 1, 1) and factor.size <= FEW_CHANNELS:
        constant.const_value = ir.tensor(np.repeat(factor, width, axis=3), name=constant.name)
        constant.shape = constant.const_value.shape


def _drop_clamp(graph: Graph, node: Node) -> None:
    """Drop a clamp if only Qs read it whose integers cannot represent values outside its bounds."""
    users = [use.node for use in node.outputs[0].uses()]
    low, high = _bound(node, 1, -np.inf), _bound(node, 2, np.inf)
    if users and not node.outputs[0].is_graph_output() and all(_saturates(user, low, high) for user in users):
        for user in users:
            user.replace_input_with(0, node.inputs[0])
        graph.remove(node, safe=True)


def _bound(node: Node, index: int, missing: float) -> float:
    value = node.inputs[index] if len(node.inputs) > index else None
    bound = _constant(value)
    return missing if value is None else np.nan if bound is None else float(bound.item())


def _saturates(quantize: Node, low: float, high: float) -> bool:
    """True if no integer of a Q represents a value outside of [low, high], to half a step."""
    if quantize.op_type != "QuantizeLinear" or len(quantize.inputs) < 3:
        return False
    scale, zero = _constant(quantize.inputs[1]), _constant(quantize.inputs[2])
    if scale is None or zero is None or scale.size != 1:
        return False
    limits, step = np.iinfo(zero.dtype), float(scale.item())
    lowest, highest = ((limit - zero.item()) * step for limit in (int(limits.min), int(limits.max)))
    return bool(lowest >= low - step / 2 and highest <= high + step / 2)


def _constant(value: Value | None) -> Array | None:
    constant = value.const_value if value is not None else None
    return None if constant is None else constant.numpy()


def _stored(tape: Tape, node: Node, name: str, number: float, like: Array) -> Value:
    import onnx_ir as ir

    return tape.initializer(ir.tensor(np.array(number, like.dtype)), f"{node.outputs[0].name}.{name}")


def _replace(graph: Graph, node: Node, tape: Tape, result: Value) -> None:
    from onnx_ir.convenience import replace_nodes_and_values

    for value in tape.initializers:
        graph.register_initializer(value)
    replace_nodes_and_values(graph, node, [node], list(tape.nodes), list(node.outputs), [result])
