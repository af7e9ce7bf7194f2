"""Files of LiteRT whose buffers lie behind the flatbuffer, at an offset: written one at a time, and mapped.

A builder of flatbuffers holds the whole file, and copies it once more as it is asked for it.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools.flatbuffer_utils import update_packed_buffer

from edgekit.ir.measurement import Array

IDENTIFIER = b"TFL3"
ALIGNMENT = 64
"""Alignment of a buffer in the file, in bytes: a line of the cache."""
LEAST = 1024
"""Size in bytes from which a buffer lies behind the flatbuffer."""


def write_appended(model: Any, path: Path) -> None:
    """Write `model` (ModelT) to `path`, its large buffers behind the flatbuffer. `model` stays as it is."""
    large = dict(_large(model))
    for index in large:
        buffer = model.buffers[index]
        buffer.data, buffer.offset, buffer.size = None, 1, 1  # 0 would leave no room for the numbers
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), IDENTIFIER)
    head = builder.Output()
    packed = schema.Model.GetRootAs(head, 0)
    with path.open("wb") as file:
        file.write(head)
        for index, data in large.items():
            file.write(bytes(-file.tell() % ALIGNMENT))
            update_packed_buffer(packed.Buffers(index), offset=file.tell(), size=len(data))
            file.write(data.data)
            buffer = model.buffers[index]
            buffer.data, buffer.offset, buffer.size = data, 0, 0
        file.seek(0)
        file.write(head)


def mapped(path: Path) -> memoryview:
    """Map the file `path`: its pages are read as they are needed. Writes stay in this process."""
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))


def inline(model: Any, content: bytes | memoryview) -> None:
    """Let the buffers of `model` have what lies at their offset in the file `content`, in place, without copies."""
    for buffer in model.buffers:
        if buffer.offset:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0


def _large(model: Any) -> Iterator[tuple[int, Array]]:
    for index, buffer in enumerate(model.buffers):
        if buffer.data is not None and len(buffer.data) >= LEAST:
            yield index, np.ascontiguousarray(buffer.data).view(np.uint8)
