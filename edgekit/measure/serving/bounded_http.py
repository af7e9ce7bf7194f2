"""HTTP/1.1 client with a time limit per request, a byte limit per answer, and no compression."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.measure.serving.open_inference import Fault


@dataclass(frozen=True)
class Reply:
    """A complete HTTP response."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str | None:
        """Look up a header; its name may be in any case. None if there is none."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), None)


class BoundedConnection:
    """One persistent connection, opened again after it was lost. It follows no redirection."""

    def __init__(self, host: str, port: int, timeout_s: float, context: ssl.SSLContext | None) -> None:
        self._timeout_s, self._deadline = timeout_s, 0.0
        if context:
            self._http: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=timeout_s, context=context
            )
        else:
            self._http = http.client.HTTPConnection(host, port, timeout=timeout_s)
        self._http.response_class = self._response  # type: ignore[assignment]

    def request(self, method: str, path: str, body: bytes, headers: Mapping[str, str], limit: int) -> Reply:
        """Send one request and read its answer, of at most `limit` bytes.

        Raises TimeoutError when `timeout_s` has passed, connecting and every byte included; Fault (invalid) for an
        answer that is longer or compressed; OSError or HTTPException if the connection is lost.
        """
        self._deadline = time.monotonic() + self._timeout_s
        try:
            if self._http.sock is not None:
                self._http.sock.settimeout(self._left())
            self._http.request(method, path, body or None, dict(headers))
            with self._http.getresponse() as response:
                return self._read(response, limit)
        except BaseException:
            self.close()  # what is left of the answer must not be taken for the next one
            raise

    def close(self) -> None:
        self._http.close()

    def _read(self, response: http.client.HTTPResponse, limit: int) -> Reply:
        coding = response.headers.get("Content-Encoding", "identity")
        if coding.lower() != "identity":
            raise Fault("invalid", f"it sent '{coding}', and no compression was asked for")
        body = response.read(limit + 1)
        if len(body) > limit:
            raise Fault("invalid", f"its answer has more than the {limit:,} bytes that it may have by its metadata")
        if response.length:
            raise http.client.IncompleteRead(body, response.length)
        return Reply(response.status, response.reason, dict(response.headers.items()), body)

    def _response(self, sock: socket.socket, method: str | None = None, **options: Any) -> http.client.HTTPResponse:
        return http.client.HTTPResponse(_Timed(sock, self), method=method, **options)  # type: ignore[arg-type]

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Timed:
    """A socket that is read until the deadline of its connection, as a socket's own timeout restarts with each byte."""

    def __init__(self, sock: socket.socket, connection: BoundedConnection) -> None:
        self._sock, self._connection = sock, connection

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Stream(self._sock, self._connection))


class _Stream(io.RawIOBase):
    def __init__(self, sock: socket.socket, connection: BoundedConnection) -> None:
        self._sock, self._connection = sock, connection
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._connection._left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
