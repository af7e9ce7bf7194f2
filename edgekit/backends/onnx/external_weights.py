"""External data of ONNX models: one file with the weights of several graphs, each weight once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.backends.onnx.scratch_weights import bytes_of, needs_file, read_into, refer, size_of

if TYPE_CHECKING:
    from onnx import ModelProto

WEIGHTS = "weights.bin"
"""Name of the file, beside the models."""
ALIGNMENT = 64
"""Alignment of a weight in the file, in bytes: a line of the cache. onnxruntime maps the file and reads it in place."""
LEAST = 1024
"""Size in bytes from which a constant is a weight: smaller ones, as shapes and scales, stay in the graph.

onnxruntime needs the shapes while it loads the graph.
"""


def with_external_weights(models: Sequence[ModelProto]) -> tuple[list[bytes], bytes]:
    """Move the weights of models, in place, into one file, in which equal ones are stored once.

    Returns the serialized models, and the content of the file `WEIGHTS`.
    """
    from onnx import external_data_helper

    content, places = bytearray(), dict[bytes, int]()
    moved = []
    for model in models:
        for tensor in model.graph.initializer:
            raw = tensor.raw_data
            if len(raw) < LEAST:
                continue
            if raw not in places:
                content.extend(bytes(-len(content) % ALIGNMENT))
                places[raw] = len(content)
                content.extend(raw)
            external_data_helper.set_external_data(tensor, WEIGHTS, places[raw], len(raw))
            tensor.ClearField("raw_data")
        moved.append(model.SerializeToString(deterministic=True))
    return moved, bytes(content)


def write_model(model: ModelProto, path: Path) -> tuple[Path, ...]:
    """Write `model` to `path`, the weights of a large one beside it. `model` is changed. Returns the paths."""
    if needs_file(model):
        return write_with_weights(model, path)
    path.write_bytes(read_into(model).SerializeToString(deterministic=True))
    return (path,)


def write_with_weights(model: ModelProto, path: Path) -> tuple[Path, Path]:
    """Write `model` to `path` and its weights to the file `WEIGHTS` beside it, one at a time, in place.

    A protobuf of 2 GiB cannot be read, and a runtime holds one of any size twice while it loads it; this one is mapped.
    Returns both paths.
    """
    weights = path.with_name(WEIGHTS)
    with weights.open("wb") as file:
        for tensor in model.graph.initializer:
            size = size_of(tensor)
            if size < LEAST:
                continue
            file.write(bytes(-file.tell() % ALIGNMENT))
            offset = file.tell()
            file.write(bytes_of(tensor))
            refer(tensor, WEIGHTS, offset, size)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return path, weights
