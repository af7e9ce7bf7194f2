"""Q/DQ graph, read by TensorRT's rules for explicit quantization (the sources are in tensorrt.py)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from edgekit.backends.onnx.placement import tensors

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
CLAMPS = {"Relu", "Clip"}
"""Operators that are fused into the one before them [1]."""
MOVES = {"MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze"}
"""Operators that commute with Q and DQ, which are moved past them: `Op(DQ(x)) == DQ(Op(x))` [1]."""
LOST = -1
"""Value of `scale_axis` after an operator that mixes the axes."""


class QdqGraph:
    """Tensors of a graph with their values, makers and readers."""

    def __init__(self, model: ModelProto) -> None:
        self.tensors = tensors(model)
        self.shapes = {name: tensor.shape for name, tensor in self.tensors.items()}
        self.constants = {tensor.name for tensor in model.graph.initializer}
        self.makers = {name: node for node in model.graph.node for name in node.output}
        self._outputs = {value.name for value in model.graph.output}
        self._readers: dict[str, list[NodeProto]] = defaultdict(list)
        for node in model.graph.node:
            for name in node.input:
                self._readers[name].append(node)

    def is_folded(self, node: NodeProto) -> bool:
        """True if TensorRT fuses `node`: a Q or DQ of int8 with zero point 0 [2, 3], per-tensor unless on a constant.

        Per-channel scales are advised for weights only [1], so edgekit claims nothing of activations that have them.
        """
        if node.op_type not in (QUANTIZE, DEQUANTIZE) or not self.constants.issuperset(node.input[1:]):
            return False
        stored = node.input[0] if node.op_type == DEQUANTIZE else node.output[0]
        if self.tensors[stored].dtype.name != "int8" or any(self.tensors[name].any() for name in node.input[2:]):
            return False
        scale = self.tensors[node.input[1]]
        return scale.size == 1 or (scale.ndim == 1 and node.input[0] in self.constants)

    def is_dequantized(self, name: str) -> bool:
        """True if the tensor comes from a DQ that TensorRT fuses, directly or through operators in `MOVES`."""
        node = self.makers.get(name)
        while node is not None and node.op_type in MOVES:
            node = self.makers.get(node.input[0])
        return node is not None and node.op_type == DEQUANTIZE and self.is_folded(node)

    def scale_axis(self, name: str) -> int | None:
        """Axis of the per-channel scales of a dequantized tensor, or LOST; None if it is per-tensor."""
        node = self.makers[name]
        if node.op_type in MOVES:
            axis = self.scale_axis(node.input[0])
            if axis is None or node.op_type != "Transpose":
                return None if axis is None else LOST
            order = next((list(attribute.ints) for attribute in node.attribute if attribute.name == "perm"), None)
            return order.index(axis) if order else len(self.shapes[name]) - 1 - axis
        if self.tensors[node.input[1]].size == 1:
            return None
        return attribute(node, "axis", 1) % len(self.shapes[name])

    def is_quantized(self, name: str) -> bool:
        """True if only Qs that TensorRT fuses read the tensor, directly or through a clamp that is its only reader."""
        readers = self._readers[name]
        if name in self._outputs or not readers:
            return False
        if len(readers) == 1 and readers[0].op_type in CLAMPS:
            return self.is_quantized(readers[0].output[0])
        return all(node.op_type == QUANTIZE and self.is_folded(node) for node in readers)

    def sole_reader(self, name: str) -> NodeProto | None:
        """Single reader of the tensor; None if there are several, or if it is an output of the graph."""
        readers = self._readers[name]
        return readers[0] if len(readers) == 1 and name not in self._outputs else None


def attribute(node: NodeProto, name: str, default: int) -> int:
    """Integer attribute of `node`, or `default` if it has none."""
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == name), default)
