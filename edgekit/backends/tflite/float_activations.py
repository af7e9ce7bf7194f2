"""GELU between integers as the float operator: LiteRT has an int8 kernel for it, its XNNPACK delegate has none.

The converter fuses dequantize, GELU and quantize into the int8 kernel, which splits the delegate's partition in two.
The three operators apart stay in the partition, and compute the same integers, but where the real value is halfway
between two.
"""

from __future__ import annotations

import copy
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

FUSED = {schema.BuiltinOperator.GELU}
"""Operators that are taken apart where they read and write int8."""


def with_float_activations(content: bytes) -> bytes:
    """Rewrite the file with its int8 GELU as DEQUANTIZE, GELU and QUANTIZE; `content` itself if it has none."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    changes = [_take_apart(model, graph) for graph in model.subgraphs]
    if not any(changes):
        return content
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _take_apart(model: Any, graph: Any) -> bool:
    """Take the fused operators of a subgraph apart, in place. Returns True if it has any."""
    operators: list[Any] = []
    for each in graph.operators:
        if not _is_fused(model, graph, each):
            operators.append(each)
            continue
        (source,), (result,) = each.inputs, each.outputs
        real, activated = (_float_copy(graph, index) for index in (source, result))
        each.inputs, each.outputs = [real], [activated]
        dequantize = _operator(model, schema.BuiltinOperator.DEQUANTIZE, 2, source, real)
        quantize = _operator(model, schema.BuiltinOperator.QUANTIZE, 1, activated, result)
        operators += [dequantize, each, quantize]
    changed = len(operators) > len(graph.operators)
    graph.operators = operators
    return changed


def _is_fused(model: Any, graph: Any, operator: Any) -> bool:
    if model.operatorCodes[operator.opcodeIndex].builtinCode not in FUSED:
        return False
    edges = (*operator.inputs, *operator.outputs)
    return all(graph.tensors[index].type == schema.TensorType.INT8 for index in edges)


def _float_copy(graph: Any, index: int) -> int:
    """Index of a new float tensor of the shape of tensor `index`."""
    tensor = copy.copy(graph.tensors[index])
    tensor.type, tensor.quantization, tensor.buffer, tensor.name = schema.TensorType.FLOAT32, None, 0, None
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _operator(model: Any, builtin: int, version: int, source: int, result: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = _code(model, builtin, version), [source], [result]
    return operator


def _code(model: Any, builtin: int, version: int) -> int:
    """Index of the code of a builtin operator, which is added if the model lacks it."""
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == builtin:
            code.version = max(code.version, version)
            return index
    code = schema.OperatorCodeT()
    code.builtinCode, code.version = builtin, version
    code.deprecatedBuiltinCode = min(builtin, 127)
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
