"""Half precision of ONNX models, made float32: weights, constants, casts and the types of inputs and outputs."""

from __future__ import annotations

from typing import Any

FLOAT32, HALF = 1, (10, 16)
"""Numbers of TensorProto.DataType: float32; float16 and bfloat16."""
TYPES = {"to", "dtype"}
"""Attributes that name the type of an output."""


def widen(model: Any) -> bool:
    """Make float32 of all half precision in a ModelProto, in place, and tell if there is any.

    Its external data must be loaded. Every number of half precision is one of float32, so weights keep their values;
    products and sums are no longer rounded.
    """
    graphs = [_widen_graph(model.graph)]
    graphs += [_widen_nodes(function.node) for function in model.functions]
    return any(graphs)


def _widen_graph(graph: Any) -> bool:
    changed = [_widen_tensor(tensor) for tensor in graph.initializer]
    for value in (*graph.input, *graph.output, *graph.value_info):
        kind = value.type.tensor_type
        changed.append(kind.elem_type in HALF)
        if kind.elem_type in HALF:
            kind.elem_type = FLOAT32
    return _widen_nodes(graph.node) or any(changed)


def _widen_nodes(nodes: Any) -> bool:
    changed = [_widen_attribute(attribute) for node in nodes for attribute in node.attribute]
    return any(changed)


def _widen_attribute(attribute: Any) -> bool:
    if attribute.name in TYPES and attribute.i in HALF:
        attribute.i = FLOAT32
        return True
    changed = [_widen_tensor(tensor) for tensor in (attribute.t, *attribute.tensors) if tensor.data_type in HALF]
    graphs = (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs)
    changed += [_widen_graph(graph) for graph in graphs]
    return any(changed)


def _widen_tensor(tensor: Any) -> bool:
    from onnx import numpy_helper

    if tensor.data_type not in HALF:
        return False
    values = numpy_helper.to_array(tensor).astype("float32")
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return True
