"""External data of ONNX models: one file with the weights of several graphs, each weight once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

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
