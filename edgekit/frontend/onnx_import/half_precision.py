"""Half precision of ONNX models, made float32: weights, constants, casts and the types of inputs and outputs."""

from __future__ import annotations

from typing import Any

FLOAT32, HALF, DOUBLE = 1, (10, 16), (11,)
"""Numbers of TensorProto.DataType: float32; float16 and bfloat16; float64."""
TYPES = {"to", "dtype"}
"""Attributes that name the type of an output."""


def widen(model: Any) -> bool:
    """Make float32 of all half precision in a ModelProto, in place, and tell if there is any.

    Its external data must be loaded. Every number of half precision is one of float32, so weights keep their values;
    products and sums are no longer rounded. Exporters compute norms of half precision in float64, which becomes
    float32 as well.
    """
    return _convert(model, HALF) and (_convert(model, DOUBLE) or True)


def _convert(model: Any, kinds: tuple[int, ...]) -> bool:
    changed = [_convert_graph(model.graph, kinds)]
    changed += [_convert_nodes(function.node, kinds) for function in model.functions]
    return any(changed)


def _convert_graph(graph: Any, kinds: tuple[int, ...]) -> bool:
    changed = [_convert_tensor(tensor, kinds) for tensor in graph.initializer]
    for value in (*graph.input, *graph.output, *graph.value_info):
        kind = value.type.tensor_type
        changed.append(kind.elem_type in kinds)
        if kind.elem_type in kinds:
            kind.elem_type = FLOAT32
    return _convert_nodes(graph.node, kinds) or any(changed)


def _convert_nodes(nodes: Any, kinds: tuple[int, ...]) -> bool:
    changed = [_convert_attribute(attribute, kinds) for node in nodes for attribute in node.attribute]
    return any(changed)


def _convert_attribute(attribute: Any, kinds: tuple[int, ...]) -> bool:
    if attribute.name in TYPES and attribute.i in kinds:
        attribute.i = FLOAT32
        return True
    changed = [_convert_tensor(tensor, kinds) for tensor in (attribute.t, *attribute.tensors)]
    graphs = (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs)
    changed += [_convert_graph(graph, kinds) for graph in graphs]
    return any(changed)


def _convert_tensor(tensor: Any, kinds: tuple[int, ...]) -> bool:
    from onnx import numpy_helper

    if tensor.data_type not in kinds:
        return False
    values = numpy_helper.to_array(tensor).astype("float32")
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return True
