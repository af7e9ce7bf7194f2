"""HTTP/1.1 messages (RFC 9112): the head of a request, parsed, and a response, written. Standard library only."""

from __future__ import annotations

import re
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

MAX_HEAD = 16 << 10
"""Limit of a request's line and headers, in bytes."""
END = b"\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
JSON, BINARY = "application/json", "application/octet-stream"
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""Name of a header or a method (RFC 9110, 5.6.2)."""
LENGTH = re.compile(rb"[0-9]{1,15}")
HEADER_LENGTH = b"inference-header-content-length"
"""Header of the protocol's extension for binary data: bytes of JSON before the tensors."""


class HttpError(Exception):
    """A request that is answered by an error: status, and a message for people."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Head(NamedTuple):
    """Line and headers of a request, as far as the server needs them."""

    method: str
    path: str
    """Path as it was sent, without the query."""
    length: int
    """Bytes of the body."""
    json_length: int | None
    """Bytes of JSON at the start of the body; None if the whole body is JSON."""
    keep: bool
    """False if the connection ends with the answer."""
    expects: bool
    """True if the client waits for `100 Continue` before it sends the body."""
    authorization: bytes


@lru_cache(maxsize=64)
def parse_head(raw: bytes) -> Head:
    """Parse line and headers, without the empty line behind them. Raises HttpError.

    A client sends the same head over and over: the last ones are remembered.
    """
    line, *lines = raw.split(b"\r\n")
    words = line.split(b" ")
    if len(words) != 3 or not TOKEN.fullmatch(words[0]) or not re.fullmatch(rb"[!-~]+", words[1]):
        raise HttpError(400, "this is no request of HTTP/1.1")
    if words[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise HttpError(505, "this server speaks HTTP/1.1")
    headers = _headers(lines)
    if b"transfer-encoding" in headers:
        raise HttpError(411, "send the length of the body, Content-Length, and no Transfer-Encoding")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise HttpError(415, "send the body as it is, without compression")
    length = _length(headers.get(b"content-length", b"0"), "Content-Length")
    json_length = (
        _length(headers[HEADER_LENGTH], "Inference-Header-Content-Length") if HEADER_LENGTH in headers else None
    )
    if json_length is not None and json_length > length:
        raise HttpError(400, f"Inference-Header-Content-Length says {json_length:,} of {length:,} bytes")
    connection = headers.get(b"connection", b"").lower()
    return Head(
        method=words[0].decode(),
        path=words[1].partition(b"?")[0].decode(),
        length=length,
        json_length=json_length,
        keep=b"close" not in connection if words[2] == b"HTTP/1.1" else b"keep-alive" in connection,
        expects=headers.get(b"expect", b"").lower() == b"100-continue",
        authorization=headers.get(b"authorization", b""),
    )


def _headers(lines: list[bytes]) -> dict[bytes, bytes]:
    """Headers by their names in small letters. Raises HttpError, also for one that is there twice and decides."""
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.fullmatch(name):
            raise HttpError(400, "a header is not as HTTP/1.1 has it")
        key, value = name.lower(), value.strip(b" \t")
        if headers.get(key, value) != value and key in (b"content-length", b"authorization", HEADER_LENGTH):
            raise HttpError(400, f"the header {name.decode()} is there twice")
        headers[key] = value
    return headers


def _length(value: bytes, name: str) -> int:
    if not LENGTH.fullmatch(value):
        raise HttpError(400, f"{name} is no number of bytes")
    return int(value)


@lru_cache(maxsize=64)
def response_head(status: int, length: int, json_length: int | None, keep: bool, type: str = JSON) -> bytes:
    """Line and headers of an answer, with the empty line behind them.

    length: bytes of the body. json_length: bytes of JSON before the tensors, None without any.
    """
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Content-Type: {type if json_length is None else BINARY}",
        f"Content-Length: {length}",
    ]
    if json_length is not None:
        lines.append(f"Inference-Header-Content-Length: {json_length}")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        lines.append("Retry-After: 1")
    if status == HTTPStatus.UNAUTHORIZED:
        lines.append("WWW-Authenticate: Bearer")
    if not keep:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
