"""The loaded graph as plain values: which delegate runs which operator, how much work each is, in which arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgekit.ir.artifact import Operator, Placement

DELEGATE = "DELEGATE"
"""LiteRT's name for a node that stands for all the operators which a delegate runs together."""
WEIGHTED = {
    "BATCH_MATMUL": (0, 1),
    "CONV_2D": (1,),
    "CONV_3D": (1,),
    "DEPTHWISE_CONV_2D": (1,),
    "FULLY_CONNECTED": (1,),
    "TRANSPOSE_CONV": (1,),
}
"""The operators that multiply and accumulate, and at which of their inputs weights can stand."""


@dataclass(frozen=True)
class GraphNode:
    """An operator or a delegate. Tensors are indices; -1 is an optional one that is absent."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class GraphTensor:
    shape: tuple[int, ...]
    dtype: str

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def integer(self) -> bool:
        return self.dtype.startswith(("int", "uint", "bool"))

    @property
    def narrow(self) -> bool:
        return self.dtype in ("int8", "uint8", "int4", "uint4")


@dataclass(frozen=True)
class InterpreterGraph:
    """The interpreter's nodes, the file's own first and one for each delegate after them."""

    nodes: tuple[GraphNode, ...]
    tensors: Mapping[int, GraphTensor]
    constants: frozenset[int]
    """Tensors whose values are in the file."""

    @property
    def operators(self) -> tuple[GraphNode, ...]:
        return tuple(node for node in self.nodes if node.name != DELEGATE)

    def placement(self, delegate: str) -> Placement:
        """Every operator, with `delegate` for those that the delegate nodes replace."""
        delegated = set(self.delegated())
        return Placement(
            tuple(
                Operator(
                    name=node.name,
                    delegate=delegate if node in delegated else None,
                    macs=self.macs(node),
                    elements=sum(self.tensors[i].elements for i in node.outputs),
                    integer=self.integer(node),
                )
                for node in self.operators
            )
        )

    def delegated(self) -> Iterator[GraphNode]:
        """The operators inside delegate nodes.

        A delegate's inputs are all tensors that cross into it, so what its outputs are computed from, back to those
        inputs, is what it replaced.
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

    def macs(self, node: GraphNode) -> int:
        """Multiply-accumulates of one inference."""
        if node.name not in WEIGHTED:
            return 0
        output = self.tensors[node.outputs[0]]
        weights = self.tensors[node.inputs[1]].shape
        if node.name == "BATCH_MATMUL":  # either matrix may be given transposed: the output's rows tell
            left = self.tensors[node.inputs[0]].shape
            return output.elements * (left[-1] * left[-2] // output.shape[-2])
        if node.name == "FULLY_CONNECTED":
            return output.elements * weights[-1]
        if node.name == "TRANSPOSE_CONV":  # every input element meets the whole kernel
            return self.tensors[node.inputs[2]].elements * math.prod(weights[:-1])
        if node.name == "DEPTHWISE_CONV_2D":  # 1, height, width, channels
            return output.elements * math.prod(weights[:-1])
        if node.name == "CONV_3D":  # depth, height, width, inputs, outputs
            return output.elements * math.prod(weights[:-1])
        return output.elements * math.prod(weights[1:])  # outputs, height, width, inputs of the group

    def integer(self, node: GraphNode) -> bool:
        """Whether nothing that the operator reads or writes is a float, or it rounds what it reads by itself."""
        if self._rounds(node):
            return True
        return all(self.tensors[i].integer for i in (*node.inputs, *node.outputs) if i >= 0)

    def _rounds(self, node: GraphNode) -> bool:
        """Whether floats go in and come out, and the weights are integers: LiteRT's dynamic quantization."""
        weights = [node.inputs[i] for i in WEIGHTED.get(node.name, ()) if node.inputs[i] in self.constants]
        edges = (node.inputs[0], node.outputs[0])
        return (
            bool(weights)
            and all(self.tensors[i].narrow for i in weights)
            and not any(self.tensors[i].integer for i in edges)
        )

    def integer_share(self) -> float:
        """The share of the weight elements that the file holds as integers of at most 8 bits; 0 without weights."""
        stored = {self._stored(node.inputs[i]) for node in self.operators for i in WEIGHTED.get(node.name, ())}
        weights = [self.tensors[index] for index in stored if index is not None]
        total = sum(tensor.elements for tensor in weights)
        return sum(tensor.elements for tensor in weights if tensor.narrow) / total if total else 0.0

    def _stored(self, tensor: int) -> int | None:
        """The constant that `tensor` is made of, through any dequantization or transposition; None if it is none."""
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
