"""Facts of a .tflite file, read off LiteRT's interpreter: signature, and placement on the XNNPACK delegate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edgekit.backends.tflite.appended_buffers import mapped
from edgekit.backends.tflite.file_weights import file_weights, has_data
from edgekit.backends.tflite.graph import GraphNode, GraphTensor, InterpreterGraph
from edgekit.errors import LoweringError, UnsupportedOperator
from edgekit.ir.artifact import Artifact
from edgekit.ir.signature import Affine, Signature, TensorSpec
from edgekit.passes.fixed_layers import FixedLayers
from edgekit.specs.target import RuntimeSpec

XNNPACK = "xnnpack"
NO_LAYERS = FixedLayers((), 0)
FLOAT_PRODUCTS = frozenset({"BATCH_MATMUL"})
"""Products of two activations, which LiteRT's XNNPACK delegate takes in float; in int8 they run outside of it."""
UNRESOLVED = re.compile(r"unresolved custom op: ([\w.]+)|find op for builtin opcode '(\w+)'")


def artifact(path: Path, runtime: RuntimeSpec, fixed: FixedLayers = NO_LAYERS) -> Artifact:
    """Load the file as the target does, and read its facts. `fixed`: layers that stay in float by rule.

    Raises UnsupportedOperator if the interpreter lacks an operator, LoweringError if it cannot load the file.
    """
    delegates = XNNPACK in runtime.delegates
    try:
        interpreter = open_interpreter(
            path, OpResolverType.AUTO if delegates else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
    except (RuntimeError, ValueError) as error:
        raise _explained(error) from error
    graph, weights = interpreter_graph(interpreter, path), file_weights(mapped(path)).without(fixed.elements)
    return Artifact(
        (path,),
        "tflite",
        signature(interpreter),
        graph.placement(XNNPACK),
        weights.integer_share,
        weight_bytes=weights.bytes,
        fixed_macs=fixed.macs,
        float_products=FLOAT_PRODUCTS if delegates else frozenset(),
        fragments=graph.fragments() if delegates else None,
    )


def signature(interpreter: Interpreter) -> Signature:
    """Signature of the file: inputs and outputs as stored, integers with their scale and zero point."""
    return Signature(specs(interpreter.get_input_details()), specs(interpreter.get_output_details()))


def open_interpreter(path: Path, resolver: OpResolverType) -> Interpreter:
    interpreter = Interpreter(str(path), num_threads=1, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    return interpreter


def _explained(error: Exception) -> LoweringError:
    text = str(error).strip()
    unresolved = UNRESOLVED.search(text)
    if unresolved:
        return UnsupportedOperator(
            f"the LiteRT interpreter has no kernel for '{unresolved.group(1) or unresolved.group(2)}'",
            hint="rewrite that part with other operators, or choose another backend",
        )
    return LoweringError(f"LiteRT's interpreter cannot load the file it was given: {text.splitlines()[0]}")


def specs(edges: Iterable[Mapping[str, Any]]) -> tuple[TensorSpec, ...]:
    """Tensor specifications from the interpreter's details of its inputs or outputs."""
    return tuple(
        TensorSpec(edge["name"], np.dtype(edge["dtype"]).name, tuple(map(int, edge["shape"])), _affine(edge))
        for edge in edges
    )


def _affine(edge: Mapping[str, Any]) -> Affine | None:
    scale, zero_point = edge["quantization"]
    return Affine(float(scale), int(zero_point)) if scale else None


def interpreter_graph(interpreter: Interpreter, path: Path) -> InterpreterGraph:
    tensors = {
        int(details["index"]): GraphTensor(tuple(map(int, details["shape"])), np.dtype(details["dtype"]).name)
        for details in interpreter.get_tensor_details()
    }
    nodes = tuple(
        GraphNode(details["op_name"], tuple(map(int, details["inputs"])), tuple(map(int, details["outputs"])))
        for details in interpreter._get_ops_details()
    )
    return InterpreterGraph(nodes, tensors, _constants(mapped(path)))


def _constants(content: memoryview) -> frozenset[int]:
    """Indices of the tensors whose values the file holds."""
    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    buffers = [graph.Tensors(i).Buffer() for i in range(graph.TensorsLength())]
    return frozenset(i for i, buffer in enumerate(buffers) if has_data(model.Buffers(buffer)))
