"""ONNX files as networks: read, checked, imported, and compared with ONNX Runtime on examples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.errors import ModelFileError, UnsupportedModelFile
from edgekit.frontend.conversion import compare_answers
from edgekit.frontend.network_examples import network_examples
from edgekit.frontend.onnx_import import elementwise, layers, pooling, recurrent, resampling, shapes
from edgekit.frontend.onnx_import.network import Importer, OnnxNetwork
from edgekit.frontend.onnx_import.operator import GraphValue
from edgekit.frontend.onnx_import.protobuf import tensors_of
from edgekit.specs.factory import in_a_line
from edgekit.specs.inputs import Input
from edgekit.specs.onnx_inputs import edge_name

ROOMS = (elementwise, layers, pooling, recurrent, resampling, shapes)
"""Modules that register makers of operators as they are imported."""
REPORT = "report it with the file: edgekit took an operator for another"


def read_onnx(path: Path, stated: str, inputs: Mapping[str, Input]) -> nn.Module:
    """Read an ONNX file as a network that takes the project's inputs and returns a dict of the file's outputs.

    The network's answers are compared with those of ONNX Runtime. Raises ModelFileError if the file is damaged,
    UnsupportedModelFile if it has an operator that torch lacks, ConversionMismatch if the answers differ.
    """
    model = _checked(path, stated)
    graph = model.graph
    first, second = (network_examples(inputs, seed) for seed in (0, 1))
    names = _graph_names(graph, inputs)
    network = OnnxNetwork(names)
    known = {name: GraphValue(name, tensor, True) for name, tensor in _weights(graph, stated).items()}
    known.update((name, GraphValue(name, example, False)) for name, example in zip(names, first, strict=True))
    importer = Importer(network, _opset(model), known)
    importer.run(graph)
    outputs = [output.name for output in graph.output]
    network.outputs = dict(zip(map(_output_name, outputs), importer.outputs(outputs), strict=True))
    network.train(False)
    session = _session(path, stated)
    for example in (first, second):
        expected = session.run(outputs, {name: value.numpy() for name, value in zip(names, example, strict=True)})
        with torch.no_grad():
            answers = network(*(value.clone() for value in example))
        compare_answers([torch.from_numpy(value) for value in expected], list(answers.values()), stated, REPORT)
    return network


def _checked(path: Path, stated: str) -> Any:
    """Model of a file that onnx's own checker takes, with its functions inlined."""
    import onnx

    try:
        with path.open("rb") as file:  # through Python, so that the file is a part of the cache's keys
            model = onnx.load_model_from_string(file.read())
        for location in _locations(model):
            (path.parent / location).open("rb").close()
        onnx.load_external_data_for_model(model, str(path.parent))
        onnx.checker.check_model(str(path))
    except Exception as error:  # of protobuf, the checker or the external data
        message = f"'{stated}' is no valid ONNX model: {in_a_line(error)}"
        raise ModelFileError(message, hint="export it again") from error
    return onnx.inliner.inline_local_functions(model) if model.functions else model


def _locations(model: Any) -> set[str]:
    """Files beside the model that hold its weights."""
    entries = (entry for tensor in model.graph.initializer for entry in tensor.external_data)
    return {entry.value for entry in entries if entry.key == "location"}


def _opset(model: Any) -> int:
    return max(int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def _weights(graph: Any, stated: str) -> dict[str, Tensor]:
    try:
        weights = tensors_of(graph)
    except ValueError as error:
        message = f"'{stated}': {error}, which torch lacks"
        raise UnsupportedModelFile(message, hint="export it with numbers only") from error
    half = [name for name, tensor in weights.items() if tensor.dtype in (torch.float16, torch.bfloat16)]
    if half:
        raise UnsupportedModelFile(
            f"'{stated}' has weights of half precision: '{half[0]}'",
            hint="export it in float32; precision = 'float16' in the profile makes half of it again",
        )
    return weights


def _graph_names(graph: Any, inputs: Mapping[str, Input]) -> list[str]:
    """Names in the graph of the project's inputs, in the project's order."""
    stored = {proto.name for proto in graph.initializer}
    by_edge = {edge_name(value.name): value.name for value in graph.input if value.name not in stored}
    return [by_edge[name] for name in inputs]


def _output_name(name: str) -> str:
    edge = edge_name(name)
    return edge if edge == name else f"output_{edge}".replace("__", "_")


def _session(path: Path, stated: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    except Exception as error:  # of onnxruntime, which has no common base for what it raises
        raise UnsupportedModelFile(
            f"'{stated}' is refused by ONNX Runtime, with which edgekit compares it: {in_a_line(error)}",
            hint="export it with an opset and operators that ONNX Runtime has",
        ) from error
