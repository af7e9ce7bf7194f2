"""ONNX files as networks: read, checked, imported, and compared with ONNX Runtime on examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgekit.errors import ModelFileError, UnsupportedModelFile
from edgekit.frontend.conversion import compare_answers
from edgekit.frontend.network_examples import cut_examples, network_axes, network_examples, tested_lengths
from edgekit.frontend.onnx_import import elementwise, indexing, layers, pooling, recurrent, resampling, shapes
from edgekit.frontend.onnx_import.graph_cut import cut_graph
from edgekit.frontend.onnx_import.half_precision import widen
from edgekit.frontend.onnx_import.importer import Importer
from edgekit.frontend.onnx_import.network import OnnxNetwork
from edgekit.frontend.onnx_import.operator import GraphValue
from edgekit.frontend.onnx_import.protobuf import tensors_of
from edgekit.frontend.onnx_import.reference_session import reference_session
from edgekit.specs.factory import in_a_line
from edgekit.specs.inputs import Input
from edgekit.specs.onnx_operators import edge_name, graph_outputs

ROOMS = (elementwise, indexing, layers, pooling, recurrent, resampling, shapes)
"""Modules that register makers of operators as they are imported."""
REPORT = "report it with the file: edgekit took an operator for another"


def read_onnx(path: Path, stated: str, inputs: Mapping[str, Input], outputs: Sequence[str] = ()) -> nn.Module:
    """Read an ONNX file as a network that takes the project's inputs and returns a dict of the file's outputs.

    outputs: `[model] outputs`, with which the network ends where they are tensors of the graph. Half precision becomes
    float32. The network's answers are compared with those of ONNX Runtime, at several lengths where some are free.
    Raises ModelFileError if the file is damaged, UnsupportedModelFile if it has an operator that torch lacks,
    ConversionMismatch if the answers differ.
    """
    model = _checked(path, stated)
    graph = model.graph
    ends = [output.name for output in graph.output]
    tensors = (name for node in graph.node for name in node.output)
    changed = [cut_graph(graph, graph_outputs(tensors, ends, outputs, stated)), widen(model)]
    names = _graph_names(graph, inputs)
    network = OnnxNetwork(names)
    known = {name: GraphValue(name, tensor, True) for name, tensor in _weights(graph, stated).items()}
    known.update(_examples(names, inputs))
    importer = Importer(network, _opset(model), known)
    importer.run(graph)
    ends = [output.name for output in graph.output]
    network.outputs = dict(zip(map(_output_name, ends), importer.outputs(ends), strict=True))
    network.train(False)
    _compare(network, reference_session(path, stated, model, any(changed)), inputs, ends, stated)
    return network


def _examples(names: Sequence[str], inputs: Mapping[str, Input]) -> dict[str, GraphValue]:
    """Inputs of the graph with examples at the greatest lengths, and at the least where some are free."""
    lengths = tested_lengths(inputs)
    first = network_examples(inputs, 0)
    least = cut_examples(first, network_axes(inputs), lengths[0]) if lengths else [None] * len(first)
    return {
        name: GraphValue(name, example, False, shorter)
        for name, example, shorter in zip(names, first, least, strict=True)
    }


def _compare(network: OnnxNetwork, session: Any, inputs: Mapping[str, Input], ends: list[str], stated: str) -> None:
    """Raise ConversionMismatch unless the network answers as the session does, at the tested lengths."""
    for seed in (0, 1):
        whole = network_examples(inputs, seed)
        lengths = tested_lengths(inputs)
        for example in [cut_examples(whole, network_axes(inputs), each) for each in lengths] or [whole]:
            values = {name: value.numpy() for name, value in zip(network.inputs, example, strict=True)}
            expected = session.run(ends, values)
            with torch.no_grad():
                answers = network(*(value.clone() for value in example))
            compare_answers([torch.from_numpy(value) for value in expected], list(answers.values()), stated, REPORT)


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
    return weights


def _graph_names(graph: Any, inputs: Mapping[str, Input]) -> list[str]:
    """Names in the graph of the project's inputs, in the project's order."""
    stored = {proto.name for proto in graph.initializer}
    by_edge = {edge_name(value.name): value.name for value in graph.input if value.name not in stored}
    return [by_edge[name] for name in inputs]


def _output_name(name: str) -> str:
    edge = edge_name(name)
    return edge if edge == name else f"output_{edge}".replace("__", "_")
