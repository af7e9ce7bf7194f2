"""Operators of an .onnx file for checks of accelerators; quantization and dequantization are part of the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx
from onnx import NodeProto, TensorProto, helper

from edgekit.ir.graph_step import GraphStep

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
ACTIVATIONS = ("Relu", "Clip")
"""Activations that are part of the operator before them where their result is quantized."""


def graph_steps(path: Path) -> tuple[GraphStep, ...]:
    """Operators of the file in their order; the module is read off the name of their first result."""
    model = onnx.shape_inference.infer_shapes(onnx.load(str(path), load_external_data=False))
    graph = model.graph
    constants = {tensor.name: tensor.data_type for tensor in graph.initializer}
    infos = {info.name: info.type.tensor_type for info in (*graph.input, *graph.value_info, *graph.output)}
    formats = {name: (len(info.shape.dim), _number(info.elem_type)) for name, info in infos.items()}
    sources, fixed, steps = dict[str, str](), set(constants), list[GraphStep]()
    for node in graph.node:
        if all(name in fixed for name in node.input if name):
            fixed.update(node.output)  # weights and their dequantization
        elif node.op_type in (QUANTIZE, DEQUANTIZE):
            source = sources.get(node.input[0], node.input[0])
            sources[node.output[0]] = source
            rank = formats.get(node.input[0], formats.get(source, (0, "")))[0]
            number = (
                _number(constants[node.input[2]]) if len(node.input) > 2 and node.input[2] in constants else "uint8"
            )
            for name in (node.output[0], source):
                formats[name] = (rank, number)
    for node in graph.node:
        # Its range is that of the quantization behind it, so that onnxruntime drops it there.
        if node.op_type in ACTIVATIONS and node.output[0] in formats and node.input[0] not in fixed:
            formats[node.input[0]] = formats[node.output[0]]
    for node in graph.node:
        if node.op_type not in (QUANTIZE, DEQUANTIZE) and not set(node.output) <= fixed:
            steps.append(_step(node, formats, sources, fixed, len(steps) + 1))
    return tuple(steps)


def _step(
    node: NodeProto, formats: Mapping[str, tuple[int, str]], sources: Mapping[str, str], fixed: set[str], number: int
) -> GraphStep:
    reads = tuple(name for name in node.input if name and name not in fixed)
    known = [formats[name] for name in (*reads, *node.output) if name in formats]
    return GraphStep(
        node.op_type,
        f"'{module}'" if (module := node.output[0].rpartition("/")[0]) else f"operator {number}",
        tuple(rank for rank, _ in known),
        tuple(number for _, number in known),
        tuple(sources.get(name, name) for name in reads),
        tuple(node.output),
    )


def _number(data_type: int) -> str:
    """Name of a dtype: float32 for onnx's FLOAT."""
    return "float32" if data_type == TensorProto.FLOAT else helper.tensor_dtype_to_np_dtype(data_type).name
