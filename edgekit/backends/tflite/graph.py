"""Graph of LiteRT's interpreter as plain values: delegate, work and arithmetic of each operator."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edgekit.ir.artifact import Fragments, Operator, Placement
from edgekit.ir.stored_weights import StoredWeight, is_matrix

DELEGATE = "DELEGATE"
"""LiteRT's name for a node that replaces all operators of one partition of a delegate."""
WEIGHTED = {
    "BATCH_MATMUL": (0, 1),
    "CONV_2D": (1,),
    "CONV_3D": (1,),
    "CONV_3D_TRANSPOSE": (1,),
    "DEPTHWISE_CONV_2D": (1,),
    "FULLY_CONNECTED": (1,),
    "TRANSPOSE_CONV": (1,),
}
"""Operators that multiply and accumulate, with the indices of inputs that can be weights."""
PARTS = {"EMBEDDING_LOOKUP", "GATHER", "GATHER_ND", "SLICE", "SPLIT", "SPLIT_V", "STRIDED_SLICE"}
"""Operators that read, of their largest input, a part as large as what they write."""
RECURRENT = {
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "BIDIRECTIONAL_SEQUENCE_RNN",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
}
"""Recurrent cells over a whole sequence: every step of every sequence meets all of their matrices."""


BITS = {"bool": 8, "int4": 4, "uint4": 4, "int8": 8, "uint8": 8, "int16": 16, "float16": 16, "int64": 64, "float64": 64}
"""Bits of an element, where they are not 32."""
WEIGHTS = {"float64", "float32", "float16", "int8", "uint8", "int4", "uint4"}
"""Data types that a weight may have: others are biases, indices and shapes."""


@dataclass(frozen=True)
class GraphNode:
    """Operator or delegate. Tensors are indices; -1 stands for an optional one that is absent."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class GraphTensor:
    """Tensor of the graph: shape, and numpy's name of its dtype."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.elements * BITS.get(self.dtype, 32) // 8

    @property
    def integer(self) -> bool:
        return self.dtype.startswith(("int", "uint", "bool"))

    @property
    def narrow(self) -> bool:
        return self.dtype in ("int8", "uint8", "int4", "uint4")


@dataclass(frozen=True)
class InterpreterGraph:
    """Nodes of the interpreter: the operators of the file first, then one node for each partition of a delegate."""

    nodes: tuple[GraphNode, ...]
    tensors: Mapping[int, GraphTensor]
    constants: frozenset[int]
    """Indices of tensors whose values are in the file."""

    @property
    def operators(self) -> tuple[GraphNode, ...]:
        return tuple(node for node in self.nodes if node.name != DELEGATE)

    def placement(self, delegate: str) -> Placement:
        """Placement of every operator: on `delegate` if a delegate node replaces it."""
        delegated = set(self.delegated())
        return Placement(
            tuple(
                Operator(
                    name=node.name,
                    delegate=delegate if node in delegated else None,
                    macs=self.macs(node),
                    elements=sum(self.tensors[i].elements for i in node.outputs),
                    integer=self.integer(node),
                    bytes=self.bytes(node),
                )
                for node in self.operators
            )
        )

    def delegated(self) -> Iterator[GraphNode]:
        """Operators inside delegate nodes.

        The inputs of a delegate node are all tensors that cross into its partition, so it replaced the operators that
        compute its outputs from these inputs.
        """
        makers = self._makers()
        for replaced in (node for node in self.nodes if node.name == DELEGATE):
            crossing, pending, seen = set(replaced.inputs), list(replaced.outputs), set[int]()
            while pending:
                tensor = pending.pop()
                maker = makers.get(tensor)
                if maker is None or tensor in crossing or tensor in seen:
                    continue
                seen.add(tensor)
                yield maker
                pending += maker.inputs

    def fragments(self) -> Fragments:
        """Delegate nodes, operators outside of them, and the bytes of the tensors that cross between."""
        partitions = [node for node in self.nodes if node.name == DELEGATE]
        delegated = set(self.delegated())
        crossing = [i for node in partitions for i in (*node.inputs, *node.outputs) if i >= 0]
        return Fragments(
            delegates=len(partitions),
            kernels=sum(node not in delegated for node in self.operators),
            boundary_bytes=sum(self.tensors[i].bytes for i in crossing if i not in self.constants),
        )

    def macs(self, node: GraphNode) -> int:
        """Multiply-accumulates of one inference."""
        if node.name in RECURRENT:
            matrices = (self.tensors[i] for i in node.inputs if i in self.constants)
            steps = math.prod(self.tensors[node.inputs[0]].shape[:2])
            return steps * sum(matrix.elements for matrix in matrices if is_matrix(matrix.shape))
        if node.name not in WEIGHTED:
            return 0
        output = self.tensors[node.outputs[0]]
        weights = self.tensors[node.inputs[1]].shape
        if node.name == "BATCH_MATMUL":  # either matrix may be given transposed: the output's rows tell
            left = self.tensors[node.inputs[0]].shape
            return output.elements * (left[-1] * left[-2] // output.shape[-2])
        if node.name == "FULLY_CONNECTED":
            return output.elements * weights[-1]
        if node.name in ("TRANSPOSE_CONV", "CONV_3D_TRANSPOSE"):  # every input element meets the whole kernel
            return self.tensors[node.inputs[2]].elements * math.prod(weights[:-1])
        if node.name == "DEPTHWISE_CONV_2D":  # 1, height, width, channels
            return output.elements * math.prod(weights[:-1])
        if node.name == "CONV_3D":  # depth, height, width, inputs, outputs
            return output.elements * math.prod(weights[:-1])
        return output.elements * math.prod(weights[1:])  # outputs, height, width, inputs of the group

    def integer(self, node: GraphNode) -> bool:
        """True if the operator reads and writes no float, or is dynamically quantized."""
        if self._is_dynamic(node):
            return True
        return all(self.tensors[i].integer for i in (*node.inputs, *node.outputs) if i >= 0)

    def _is_dynamic(self, node: GraphNode) -> bool:
        """True for LiteRT's dynamic quantization: float input and output, integer weights."""
        weights = [node.inputs[i] for i in WEIGHTED.get(node.name, ()) if node.inputs[i] in self.constants]
        edges = (node.inputs[0], node.outputs[0])
        return (
            bool(weights)
            and all(self.tensors[i].narrow for i in weights)
            and not any(self.tensors[i].integer for i in edges)
        )

    def bytes(self, node: GraphNode) -> int:
        """Bytes that the operator reads and writes: of a table or a slice, what is read of it."""
        written = sum(self.tensors[i].bytes for i in node.outputs)
        read = sorted(self.tensors[i].bytes for i in node.inputs if i >= 0)
        if read and node.name in PARTS:
            read[-1] = min(read[-1], written)
        return sum(read) + written

    def weights(self, buffers: Mapping[int, int] = MappingProxyType({})) -> Iterator[StoredWeight]:
        """Yield constants that are matrices, tables among them, and those that are multiplied, as the file stores them.

        buffers: of each constant the number of its data in the file, equal where they share them.
        """
        for node in self.operators:
            used = {self._stored(node.inputs[i]) for i in WEIGHTED.get(node.name, ())}
            matrices = {i for i in node.inputs if i in self.constants and is_matrix(self.tensors[i].shape)}
            for index in used | matrices:
                if index is not None and self.tensors[index].dtype in WEIGHTS:
                    tensor, key = self.tensors[index], f"buffer {buffers.get(index, index)}"
                    yield StoredWeight(key, tensor.elements, tensor.bytes, tensor.narrow)

    def _stored(self, tensor: int) -> int | None:
        """Constant from which `tensor` is dequantized or transposed; None if it is computed from inputs."""
        makers = self._makers()
        while tensor not in self.constants:
            maker = makers.get(tensor)
            if maker is None:
                return None
            varying = [i for i in maker.inputs if i not in self.constants and i >= 0]
            if len(varying) > 1:
                return None
            tensor = varying[0] if varying else maker.inputs[0]
        return tensor

    def _makers(self) -> dict[int, GraphNode]:
        return {tensor: node for node in self.operators for tensor in node.outputs}
