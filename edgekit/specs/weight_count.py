"""Number of weights in the files that `[model]` names, told without torch and without reading the weights."""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path

from edgekit.specs.model_source import ONNX, ModelSource
from edgekit.untrusted import json_text
from edgekit.untrusted.onnx_header import read_onnx_header

SUFFIX = ".safetensors"
FLOAT_BYTES = 4
MAX_HEADER = 100 << 20
"""Largest header of safetensors, in bytes, as its own reader has it."""
MAX_VALUES = 2_000_000


def weight_count(model: ModelSource, root: Path) -> int | None:
    """Count the weights of a project in the folder `root`; at least so many where a file does not say them exactly.

    None for a factory without `.safetensors`: other checkpoints may hold an optimizer's state, too. Files that cannot
    be read are counted as nothing: `check_model_files` refuses them.
    """
    try:
        if model.weights is not None and model.weights.lower().endswith(SUFFIX):
            return safetensors_count(root / model.weights)
        if model.folder is not None:
            return sum(map(safetensors_count, sorted((root / model.folder).glob(f"*{SUFFIX}"))))
        if model.file is not None:
            return _file_bytes(root / model.file) // FLOAT_BYTES
    except (OSError, ValueError, TypeError, KeyError):
        return 0
    return None


def safetensors_count(path: Path) -> int:
    """Count the numbers in a `.safetensors` file by its header. Raises ValueError, TypeError, KeyError, OSError."""
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8).ljust(8, b"\xff"))
        if size > MAX_HEADER:
            raise ValueError(f"its header has {size} bytes")
        header = json_text.loads(file.read(size), MAX_VALUES)
    shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
    return sum(prod(shape) for shape in shapes)


def _file_bytes(path: Path) -> int:
    """Size of a model file and, for ONNX, of the data beside it."""
    inside = path.stat().st_size
    if path.suffix.lower() != ONNX:
        return inside
    return inside + sum(data.length or 0 for data in read_onnx_header(path).external)
