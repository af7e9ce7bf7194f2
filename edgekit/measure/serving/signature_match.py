"""Match a served model to the project by the names, shapes and datatypes in its metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.errors import ModelMismatch, nearest
from edgekit.ir.measurement import Array
from edgekit.measure.serving.open_inference import ServedTensor, ServerMetadata
from edgekit.measure.serving.tensors import NUMPY
from edgekit.samples import Samples
from edgekit.specs.inputs import Input
from edgekit.specs.preprocess import Preprocess
from edgekit.specs.project import Project

# https://github.com/kserve/open-inference-protocol: tensor data types.
FORMATS = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
}


@dataclass(frozen=True)
class Column:
    """An input of the project, and its name on the server."""

    name: str
    served: str
    preprocess: Preprocess | None
    """Preprocessing to do on this side, where the server takes the trained network's input and not raw pixels."""

    def of(self, samples: Samples) -> Array:
        array = samples.inputs[self.name]
        return np.ascontiguousarray(preprocessed(array, self.preprocess) if self.preprocess else array)


@dataclass(frozen=True)
class SignatureMatch:
    """Correspondence of the project's inputs and outputs to those of the served model."""

    inputs: tuple[Column, ...]
    outputs: Mapping[str, ServedTensor]
    """Served outputs by the project's name."""
    single: bool
    """True if the model takes one sample at a time."""

    def columns(self, samples: Samples) -> dict[str, Array]:
        """Convert samples to the arrays of a request, [N, …] by the served model's names."""
        return {column.served: column.of(samples) for column in self.inputs}


def match_signature(project: Project, description: ServerMetadata) -> SignatureMatch:
    """Match inputs and outputs. Raises ModelMismatch that names the first that does not fit, and what is stated."""
    if project.lengths:
        raise ModelMismatch(
            f"a server is sent samples of one length, the project leaves free: {', '.join(map(str, project.lengths))}",
            hint='[reference] url = "eager"',
        )
    if not description.inputs or not description.outputs:
        raise ModelMismatch("the server does not say what the model takes and gives", hint=METADATA)
    columns = [
        _column(name, spec, _named(name, project.inputs, description.inputs, "input"))
        for name, spec in project.inputs.items()
    ]
    unasked = {edge.name for edge in description.inputs} - {column.served for column in columns}
    if unasked:
        raise ModelMismatch(f"the served model takes '{min(unasked)}', which the project does not state", hint=STATED)
    outputs = {name: _output(name, _names(project, description), description) for name in _names(project, description)}
    batch_sizes = {edge.shape[0] for edge in description.inputs}
    return SignatureMatch(tuple(columns), outputs, single=1 in batch_sizes)


def preprocessed(pixels: Array, how: Preprocess) -> Array:
    """Convert uint8 [N, H, W, C] to float32 [N, C, H, W]: `(pixel * scale - mean) / std`, as an artifact's graph does.

    One multiplication and one addition a pixel, their constants worked out in double precision.
    """
    std = np.array(how.std)
    gain, offset = np.float32(how.scale / std), np.float32(-np.array(how.mean) / std)
    return np.ascontiguousarray((pixels.astype(np.float32) * gain + offset).transpose(0, 3, 1, 2))


STATED = "[inputs] and [model] outputs of the project, or another model in its URL"
METADATA = "its configuration must state the inputs and outputs of the model"


def _column(name: str, spec: Input, edge: ServedTensor) -> Column:
    raw, trained = (spec.raw_dtype, spec.raw_shape), (spec.dtype, spec.shape)
    if _fits(edge, *raw):
        return Column(name, edge.name, None)
    if spec.preprocess and _fits(edge, *trained):
        return Column(name, edge.name, spec.preprocess)
    forms = " or ".join(
        dict.fromkeys(f"{FORMATS[dtype]}[-1, {', '.join(map(str, shape))}]" for dtype, shape in (raw, trained))
    )
    raise ModelMismatch(
        f"input '{edge.name}' of the served model is {edge}; '{name}' of the project is {forms}", hint=STATED
    )


def _fits(edge: ServedTensor, dtype: str, shape: tuple[int, ...]) -> bool:
    if edge.datatype != FORMATS[dtype] or len(edge.shape) != len(shape) + 1 or edge.shape[0] not in (-1, 1):
        return False
    return all(stated in (-1, size) for stated, size in zip(edge.shape[1:], shape, strict=True))


def _named(
    name: str, all_names: Sequence[str] | Mapping[str, object], edges: tuple[ServedTensor, ...], what: str
) -> ServedTensor:
    """Select the tensor of that name, or the only one where the project also has one. Raises ModelMismatch."""
    by_name = {edge.name: edge for edge in edges}
    if len(all_names) == 1 and len(edges) == 1:
        return edges[0]
    if name in by_name:
        return by_name[name]
    close = nearest(name, by_name)
    stated = ", ".join(f"'{edge.name}' {edge}" for edge in edges)
    raise ModelMismatch(
        f"the served model has no {what} '{name}'; it has {stated}",
        hint=f"did you mean '{close}'?" if close else STATED,
    )


def _names(project: Project, description: ServerMetadata) -> tuple[str, ...]:
    """List the project's names of the outputs: the stated ones, or the default names of every endpoint."""
    if project.model.outputs:
        return project.model.outputs
    count = len(description.outputs)
    return ("output",) if count == 1 else tuple(f"output_{i}" for i in range(count))


def _output(name: str, names: tuple[str, ...], description: ServerMetadata) -> ServedTensor:
    edge = _named(name, names, description.outputs, "output")
    if edge.datatype not in NUMPY or not edge.shape:
        raise ModelMismatch(f"output '{edge.name}' of the served model is {edge}, no numbers", hint=STATED)
    return edge
