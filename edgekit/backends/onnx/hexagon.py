"""Forms of an ONNX graph that Qualcomm's Hexagon NPU (HTP) takes and answers rightly.

Seen in onnxruntime-qnn 2.7.0 (QNN 2.51): from v73 on, Cast of uint8 to float gives 1.0 for every number but 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.backends.onnx.qdq import DEQUANTIZE, QUANTIZE

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

VENDOR = "com.microsoft"
"""Domain of onnxruntime's own operators: its Q and DQ take 16 bits, ONNX's do from opset 21 on only."""
KERNELS = frozenset({"HardSwish"})
"""Operators with a kernel of integers on HTP, which stay as they are.

Their form for the CPU clamps integers without Q and DQ around it, which HTP leaves to the CPU: a hand-over each.
"""
ONE, ZERO = "hexagon.one", "hexagon.zero"


def rewrite(model: ModelProto) -> None:
    """Write casts of pixels as DequantizeLinear of scale 1, in place: the numbers stay the same."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    pixels = {value.name for value in graph.input if value.type.tensor_type.elem_type == TensorProto.UINT8}
    casts = [node for node in graph.node if node.op_type == "Cast" and node.input[0] in pixels and _is_to_float(node)]
    for node in casts:
        node.CopyFrom(helper.make_node(DEQUANTIZE, [node.input[0], ONE, ZERO], list(node.output), node.name))
    if casts:
        graph.initializer.append(numpy_helper.from_array(np.float32(1), ONE))
        graph.initializer.append(numpy_helper.from_array(np.uint8(0), ZERO))


def name_sixteen_bits(model: ModelProto) -> None:
    """Write Q and DQ of 16 bits as onnxruntime's own operators, in place: ONNX has them in later opsets only."""
    from onnx import TensorProto, helper

    graph = model.graph
    wide = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.UINT16}
    nodes = [node for node in graph.node if node.op_type in (QUANTIZE, DEQUANTIZE) and wide & set(node.input[2:])]
    for node in nodes:
        node.domain = VENDOR
    if nodes and all(each.domain != VENDOR for each in model.opset_import):
        model.opset_import.append(helper.make_opsetid(VENDOR, 1))


def _is_to_float(node: NodeProto) -> bool:
    from onnx import TensorProto

    return any(each.name == "to" and each.i == TensorProto.FLOAT for each in node.attribute)
