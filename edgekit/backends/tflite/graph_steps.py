"""Operators of a .tflite file for checks of accelerators, without any delegate."""

from __future__ import annotations

from pathlib import Path

from ai_edge_litert.interpreter import OpResolverType

from edgekit.backends.tflite.interpreter import interpreter_graph, open_interpreter
from edgekit.ir.graph_step import GraphStep


def graph_steps(path: Path) -> tuple[GraphStep, ...]:
    """Operators of the file in their order. It keeps no names of modules, so they are numbered from 1."""
    graph = interpreter_graph(open_interpreter(path, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES), path)
    steps = []
    for number, node in enumerate(graph.operators, 1):
        inputs = tuple(i for i in node.inputs if i >= 0 and i not in graph.constants)
        computed = [graph.tensors[i] for i in (*inputs, *node.outputs)]
        steps.append(
            GraphStep(
                node.name,
                f"operator {number} of {len(graph.operators)}",
                tuple(len(tensor.shape) for tensor in computed),
                tuple(tensor.dtype for tensor in computed),
                tuple(map(str, inputs)),
                tuple(map(str, node.outputs)),
            )
        )
    return tuple(steps)
