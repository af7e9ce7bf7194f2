"""Weights of a .tflite file, read off its flatbuffer: those of loops and branches lie in subgraphs of their own."""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as schema

from edgekit.backends.tflite.graph import GraphNode, GraphTensor, InterpreterGraph
from edgekit.ir.stored_weights import StoredWeights, stored_weights

OPERATORS: dict[int, str] = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}
TYPES: dict[int, str] = {
    code: name.lower() for name, code in vars(schema.TensorType).items() if not name.startswith("_")
}


def file_weights(content: bytes | memoryview) -> StoredWeights:
    """Weights of all subgraphs of a file; operators that read the same data share a weight."""
    model = schema.Model.GetRootAs(content, 0)
    graphs = [model.Subgraphs(number) for number in range(model.SubgraphsLength())]
    return stored_weights(
        weight for graph in graphs for weight in _subgraph(model, graph).weights(dict(enumerate(_buffers(graph))))
    )


def _subgraph(model: Any, graph: Any) -> InterpreterGraph:
    tensors = {
        index: GraphTensor(_indices(tensor.ShapeAsNumpy()), TYPES[tensor.Type()])
        for index, tensor in enumerate(graph.Tensors(i) for i in range(graph.TensorsLength()))
    }
    operators = (graph.Operators(i) for i in range(graph.OperatorsLength()))
    nodes = (
        GraphNode(_name(model, one), _indices(one.InputsAsNumpy()), _indices(one.OutputsAsNumpy())) for one in operators
    )
    stored = frozenset(index for index, buffer in enumerate(_buffers(graph)) if has_data(model.Buffers(buffer)))
    return InterpreterGraph(tuple(nodes), tensors, stored)


def _buffers(graph: Any) -> list[int]:
    return [graph.Tensors(index).Buffer() for index in range(graph.TensorsLength())]


def has_data(buffer: Any) -> bool:
    """True if the file holds data: in the buffer, or after the flatbuffer, as that of files beyond 2 GB."""
    return bool(buffer.DataLength() or buffer.Size())


def _name(model: Any, operator: Any) -> str:
    code = model.OperatorCodes(operator.OpcodeIndex())
    return OPERATORS.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "CUSTOM")


def _indices(values: Any) -> tuple[int, ...]:
    """Integers of a vector of the flatbuffer, which reads an absent one as 0."""
    return tuple(map(int, values)) if hasattr(values, "__len__") else ()
