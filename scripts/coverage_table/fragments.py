"""Fragments of a model file: partitions of a delegate, and kernels outside of them, as its runtime calls them."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fragments:
    """Calls of one inference."""

    delegates: int
    kernels: int
    commonest: str = ""
    """The commonest kernels outside of delegates, `12 permute_copy, 4 bmm`."""


def fragments(path: Path) -> Fragments:
    """Fragments of a `.pte`, `.tflite` or `.onnx` file. on onnxruntime's CPU all nodes are kernels."""
    return {".pte": _executorch, ".tflite": _tflite, ".onnx": _onnx}[path.suffix](path)


def _counted(delegates: int, kernels: list[str]) -> Fragments:
    named = ", ".join(f"{count} {name}" for name, count in Counter(kernels).most_common(5))
    return Fragments(delegates, len(kernels), named)


def _executorch(path: Path) -> Fragments:
    from executorch.exir._serialize._program import deserialize_pte_binary
    from executorch.exir.schema import DelegateCall, KernelCall

    (plan,) = deserialize_pte_binary(path.read_bytes()).program.execution_plan
    calls = [instruction.instr_args for chain in plan.chains for instruction in chain.instructions]
    kernels = [plan.operators[call.op_index].name for call in calls if isinstance(call, KernelCall)]
    outside = [name.partition("::")[2] for name in kernels if not name.startswith("executorch_prim::")]
    return _counted(sum(isinstance(call, DelegateCall) for call in calls), outside)


def _tflite(path: Path) -> Fragments:
    from ai_edge_litert.interpreter import Interpreter

    from edgekit.backends.tflite.graph import DELEGATE, GraphNode, InterpreterGraph

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    nodes = tuple(
        GraphNode(each["op_name"], tuple(map(int, each["inputs"])), tuple(map(int, each["outputs"])))
        for each in interpreter._get_ops_details()
    )
    graph = InterpreterGraph(nodes, {}, frozenset())
    delegated = set(graph.delegated())
    outside = [node.name for node in graph.operators if node not in delegated]
    return _counted(sum(node.name == DELEGATE for node in nodes), outside)


def _onnx(path: Path) -> Fragments:
    import onnx
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        settings = onnxruntime.SessionOptions()
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        settings.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        settings.log_severity_level = 3
        settings.add_session_config_entry("session.qdqisint8allowed", "1")
        onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        nodes = onnx.load(settings.optimized_model_filepath).graph.node
        return _counted(0, [node.op_type for node in nodes])
