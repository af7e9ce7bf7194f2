"""Size of a stored program's weights, told without torch, and the size from which a model is large."""

from __future__ import annotations

import json
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path

from edgekit.ir.stored_weights import is_matrix

LARGE_BYTES = 1 << 28
"""Weights in bytes from which a build spares memory before anything else: 67 million in float32.

A fixed number, not a share of what is free: the same project gives the same bundle on every machine.
"""
CONFIG = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
"""Lists of the tensors in an archive of torch.export (2.13)."""


@dataclass(frozen=True)
class WeightSizes:
    """Bytes of a program's tensors."""

    size_bytes: int
    """Weights, biases and other constants, each once: no file in float is smaller."""
    weight_bytes: int
    """Tensors of more than one axis: what edgekit counts as weights in a file."""

    @property
    def is_large(self) -> bool:
        return self.size_bytes >= LARGE_BYTES


def weight_sizes(program: Path) -> WeightSizes:
    """Read the sizes of the tensors in the file `program` (`.pt2`)."""
    sizes: dict[str, tuple[int, bool]] = {}
    with zipfile.ZipFile(program) as archive:
        stored = {entry.filename.partition("/")[2]: entry.file_size for entry in archive.infolist()}
        root = archive.infolist()[0].filename.partition("/")[0]
        for config in CONFIG:
            for payload in json.loads(archive.read(f"{root}/{config}"))["config"].values():
                name = f"{config.rpartition('/')[0]}/{payload['path_name']}"
                meta = payload["tensor_meta"] or {"sizes": []}
                shape = tuple(size.get("as_int", 1) for size in meta["sizes"])
                sizes[name] = stored.get(name, 0), is_matrix(shape) and math.prod(shape) > 0
    total = sum(size for size, _ in sizes.values())
    return WeightSizes(total, sum(size for size, is_weight in sizes.values() if is_weight))
