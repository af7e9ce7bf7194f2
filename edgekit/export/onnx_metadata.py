"""Metadata of an ONNX file: entries of `metadata_props`, appended behind its bytes.

A message of protobuf is the sum of its parts: fields of a repeated field that come last are read with the others
(https://protobuf.dev/programming-guides/encoding/#last-one-wins). Field numbers are those of onnx.proto.
"""

from __future__ import annotations

METADATA_PROPS, KEY, VALUE = 14, 1, 2
BYTES = 2
"""Wire type of fields whose length is stated."""


def metadata_entry(key: str, value: str) -> bytes:
    """Bytes that add one entry to `metadata_props` where they are appended to a file."""
    return _field(METADATA_PROPS, _field(KEY, key.encode()) + _field(VALUE, value.encode()))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
