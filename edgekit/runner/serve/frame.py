"""Frames between the server and a worker, over a socket of their own. Standard library only.

To a worker: a count of requests, then each one's bytes of JSON and of body, then the bodies.
From it: an announcement, JSON, once its model is loaded or not; then an answer to each request, in their order.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

COUNT = struct.Struct("<I")
REQUEST = struct.Struct("<iI")
"""Bytes of JSON, -1 for all of the body, and of the body."""
ANSWER = struct.Struct("<HiIQQQ")
"""HTTP status, bytes of JSON, -1 for all of the body, of the body, and nanoseconds of input, inference and output."""
ALL = -1


class WorkerAnswer(NamedTuple):
    """Answer of a worker to one request."""

    status: int
    json_length: int | None
    input_ns: int
    infer_ns: int
    output_ns: int
    body: bytes
    type: str | None = None
    """Type of the body's content; None for the protocol's own."""


def request_frame(requests: list[tuple[int | None, bytes]]) -> list[bytes]:
    """Parts of a frame with requests: each its bytes of JSON, None for all of it, and its body."""
    lengths = b"".join(REQUEST.pack(ALL if head is None else head, len(body)) for head, body in requests)
    return [COUNT.pack(len(requests)) + lengths, *(body for _, body in requests)]


def answer_frame(
    status: int, json_length: int | None, body: list[bytes], times_ns: tuple[int, int, int]
) -> list[bytes]:
    """Parts of a frame with one answer."""
    length = sum(map(len, body))
    return [ANSWER.pack(status, ALL if json_length is None else json_length, length, *times_ns), *body]


def take_answer(buffer: bytearray) -> WorkerAnswer | None:
    """Take the first answer out of what has arrived; None if it is not there whole."""
    if len(buffer) < ANSWER.size:
        return None
    status, json_length, length, input_ns, infer_ns, output_ns = ANSWER.unpack_from(buffer)
    end = ANSWER.size + length
    if len(buffer) < end:
        return None
    body = bytes(memoryview(buffer)[ANSWER.size : end])
    del buffer[:end]
    return WorkerAnswer(status, None if json_length == ALL else json_length, input_ns, infer_ns, output_ns, body)
