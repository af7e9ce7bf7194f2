"""Named data of a .pte file: a segment behind the others, and its name in the program.

Layout and field numbers: schema/program.fbs and schema/extended_header.cpp of ExecuTorch 1.5.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from edgekit.export.flatbuffer_head import Fields, Scalar, elements, lay_out, root_fields

IDENTIFIER = b"ET12"
MAGIC = b"eh00"
HEADER = 8
"""Position of the extended header: magic, its size, size of the program, base and size of all segments."""
HEADER_FORMAT = "<4sIQQQ"
START = HEADER + struct.calcsize(HEADER_FORMAT)
VERSION, SEGMENTS, NAMED_DATA = 0, 4, 7
NAME, SEGMENT_INDEX = 0, 1
OFFSET, SIZE = 0, 1
SEGMENT_ALIGNMENT = 128
"""Alignment of segments in bytes, ExecuTorch's default."""
PAGE = 4096


def with_named_data(content: bytes, name: str, data: bytes) -> Iterator[bytes]:
    """Yield the pieces of the file `content` with `data` under `name`; `content` is one of them, but for its header.

    Raises ValueError or struct.error for bytes that are no program of this layout.
    """
    if content[4:8] != IDENTIFIER:
        raise ValueError(f"it does not begin as a program of '{IDENTIFIER.decode()}' does")
    magic, _, program_bytes, base, segment_bytes = struct.unpack_from(HEADER_FORMAT, content, HEADER)
    if magic != MAGIC or not program_bytes <= (base or len(content)) <= len(content):
        raise ValueError("it has no header that says where its segments are")
    fields = root_fields(content, {VERSION: "I"})
    segments = elements(content, fields.get(SEGMENTS))
    end = base + segment_bytes if base else len(content)
    base = base or end + -end % SEGMENT_ALIGNMENT
    start = end + -(end - base) % SEGMENT_ALIGNMENT - base if end > base else 0
    fields[SEGMENTS] = [*segments, {OFFSET: Scalar("Q", start), SIZE: Scalar("Q", len(data))}]
    entry: Fields = {NAME: name, SEGMENT_INDEX: Scalar("I", len(segments))}
    fields[NAMED_DATA] = [*elements(content, fields.get(NAMED_DATA)), entry]
    head = bytearray(lay_out(fields, IDENTIFIER, START, max(SEGMENT_ALIGNMENT, min(PAGE, base & -base))))
    header = (MAGIC, START - HEADER, len(head) + program_bytes, len(head) + base, start + len(data))
    struct.pack_into(HEADER_FORMAT, head, HEADER, *header)
    yield bytes(head)
    yield content[:end]
    yield bytes(base + start - end)
    yield data
