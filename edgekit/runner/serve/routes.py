"""Paths of the Open Inference Protocol, version 2, with Triton's extension for statistics."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from .frame import WorkerAnswer
from .http_message import Head, HttpError
from .prometheus_text import TYPE, prometheus_text
from .worker_pool import refusal
from .worker_process import Ticket

if TYPE_CHECKING:
    from .worker_pool import WorkerPool

EXTENSIONS = ("binary_tensor_data", "statistics")
NAME = "edgekit"
METRICS = "/metrics"


class ProtocolRoutes:
    """Answers of one server.

    version: that of the runner, for the server's metadata. token: text that clients must show, None for none.
    body_bytes: limit of one body; buffered_bytes: of all bodies at once.
    """

    def __init__(self, pool: WorkerPool, version: str, token: str | None, body_bytes: int, buffered_bytes: int) -> None:
        self._pool, self._version = pool, version
        self._authorization = None if token is None else b"Bearer " + token.encode()
        self._body_bytes, self._buffered_bytes, self._buffered = body_bytes, buffered_bytes, 0

    def admit(self, head: Head) -> None:
        """Check token and size before a body is read. Raises HttpError."""
        if self._authorization is not None and not hmac.compare_digest(head.authorization, self._authorization):
            raise HttpError(401, "this server asks for a token: Authorization: Bearer TOKEN")
        if head.length > self._body_bytes:
            raise HttpError(413, f"a body has {self._body_bytes:,} bytes at most")
        if self._buffered + head.length > self._buffered_bytes:
            raise HttpError(503, "other requests hold the memory that there is: come back later")
        self._buffered += head.length

    def released(self, length: int) -> None:
        self._buffered -= length

    def answer(self, head: Head, body: bytes, reply: Callable[[WorkerAnswer], None]) -> Ticket | None:
        """Answer a request; the ticket if a worker does."""
        try:
            if head.path == METRICS:
                self._check_method(head, ("GET", "HEAD"))
                reply(WorkerAnswer(200, None, 0, 0, 0, prometheus_text(self._pool).encode(), TYPE))
                return None
            names = _names(head.path)
            if names[-1:] == ("infer",):
                self._check_method(head, ("POST",))
                self._check_model(names[:-1])
                ticket = Ticket(head.json_length, body, reply)
                self._pool.submit(ticket)
                return ticket
            self._check_method(head, ("GET", "HEAD"))
            status, document = self._document(names)
            reply(WorkerAnswer(status, None, 0, 0, 0, json.dumps(document).encode()))
        except HttpError as error:
            reply(refusal(error.status, str(error)))
        return None

    def _document(self, names: tuple[str, ...]) -> tuple[int, dict[str, Any]]:
        live = self._pool.live
        if names == ():
            return 200, {"name": NAME, "version": self._version, "extensions": list(EXTENSIONS)}
        if names == ("health", "live"):
            return 200, {"live": True}
        if names == ("health", "ready"):
            return (200, {"ready": True}) if live else (503, {"ready": False, "error": self._pool.why})
        is_stats, is_ready = names[-1:] == ("stats",), names[-1:] == ("ready",)
        if names == ("models", "stats"):
            return 200, self._statistics()
        self._check_model(names[:-1] if is_stats or is_ready else names)
        if is_ready:
            return 200, {"ready": True}
        if is_stats:
            return 200, self._statistics()
        stated = {key: self._pool.metadata[key] for key in ("inputs", "outputs")}
        # The check has refused any path where nothing is live.
        name, version = (live.name, live.version) if live else ("", "")
        return 200, {"name": name, "versions": [version], "platform": self._pool.metadata["runtime"], **stated}

    def _statistics(self) -> dict[str, Any]:
        live = self._pool.live
        return {"model_stats": [self._pool.statistics.document(live.name, live.version)] if live else []}

    def _check_model(self, names: tuple[str, ...]) -> None:
        """Raise HttpError unless the path names the model that is live: `models/NAME[/versions/VERSION]`."""
        live = self._pool.live
        if names[:1] != ("models",) or len(names) not in (2, 4) or (len(names) == 4 and names[2] != "versions"):
            raise HttpError(404, "there is no such path: /v2/models/NAME/infer is one")
        if live is None:
            raise HttpError(503, f"no model is served: {self._pool.why}")
        if names[1] != live.name or (len(names) == 4 and names[3] != live.version):
            raise HttpError(404, f"'{live.name}' of version {live.version} is served, and nothing else")

    @staticmethod
    def _check_method(head: Head, methods: tuple[str, ...]) -> None:
        if head.method not in methods:
            raise HttpError(405, f"this path takes {' or '.join(methods)}")


def _names(path: str) -> tuple[str, ...]:
    """Names in a path behind `/v2`. Raises HttpError (404) for another."""
    _, start, *names = [*path.split("/"), ""]
    if not path.startswith("/") or start != "v2":
        raise HttpError(404, "this server speaks the Open Inference Protocol: /v2")
    names.pop()
    return tuple(unquote(name) for name in (names[:-1] if names[-1:] == [""] else names))
