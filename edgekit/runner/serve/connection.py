"""A client's connection: one request after another is read, routed and answered, in their order."""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from .http_message import CONTINUE, END, JSON, MAX_HEAD, Head, HttpError, parse_head, response_head
from .stream import Stream

if TYPE_CHECKING:
    from .frame import WorkerAnswer
    from .worker_process import Ticket

HEAD_S, IDLE_S, LINGER_S = 10.0, 75.0, 2.0
"""Time limits in seconds: of a head from its first byte on, between two requests, and to read the last answer."""
SLOWEST_BYTES_A_SECOND = 50_000
"""Slowest client that is waited for, beyond `HEAD_S`, as it sends a body."""


class Routes(Protocol):
    """Answers to requests, as a connection asks for them."""

    def admit(self, head: Head) -> None:
        """Check a request before its body is read, and count the body's memory. Raises HttpError."""
        ...

    def answer(self, head: Head, body: bytes, reply: Callable[[WorkerAnswer], None]) -> Ticket | None:
        """Answer a request, at once or later by `reply`; the ticket, if it waits for a worker."""
        ...

    def released(self, length: int) -> None:
        """Count a body's memory no more."""
        ...


class Connection:
    """One connection, until either side closes it. `ended` is called then, once."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        sock: socket.socket,
        routes: Routes,
        ended: Callable[[Connection], None],
    ) -> None:
        self._routes, self._ended = routes, ended
        self._head: Head | None = None
        self._ticket: Ticket | None = None
        self._is_waiting = self._is_paused = self._is_lingering = self._is_advancing = False
        self.deadline = time.monotonic() + IDLE_S
        self._stream = Stream(selector, sock, self._arrived, self._gone)

    @property
    def is_idle(self) -> bool:
        """True between two requests, and before the head of one is there."""
        return self._head is None and self._stream.is_flushed

    def check(self, now: float) -> None:
        """Close it if its time is over. To be called a few times a second."""
        if now < self.deadline or self._is_waiting:
            return
        if self._head is not None and not self._is_lingering:
            self._refuse(HttpError(408, "the body did not arrive in time"))
        else:
            self.close()

    def close(self) -> None:
        if self._stream.is_open:
            self._stream.close()
            self._gone()

    def finish(self) -> None:
        """Close it after the request that it is at, or at once if there is none."""
        if self.is_idle:
            self.close()
        elif self._head is not None:
            self._head = self._head._replace(keep=False)

    def _arrived(self) -> None:
        buffer = self._stream.buffer
        if self._is_lingering:
            buffer.clear()
        elif self._is_waiting:
            # The next request may be here already; more than that is left with the system.
            if len(buffer) > MAX_HEAD:
                self._pause(True)
        else:
            try:
                self._advance(buffer)
            except HttpError as error:
                self._refuse(error)

    def _advance(self, buffer: bytearray) -> None:
        """Begin what has arrived whole: heads and bodies, until an answer is waited for. Raises HttpError."""
        self._is_advancing = True
        try:
            while not self._is_waiting and not self._is_lingering:
                if self._head is None and not (buffer and self._take_head(buffer)):
                    return
                head = self._head
                if head is None or len(buffer) < head.length:
                    return
                body = bytes(memoryview(buffer)[: head.length])
                del buffer[: head.length]
                self._is_waiting = True
                ticket = self._routes.answer(head, body, self._reply)
                self._ticket = ticket if self._is_waiting else None
        finally:
            self._is_advancing = False

    def _take_head(self, buffer: bytearray) -> bool:
        """Take the head of a request out of the buffer; False if it is not there whole."""
        end = buffer.find(END)
        if end < 0 and len(buffer) <= MAX_HEAD:
            if self.deadline > time.monotonic() + HEAD_S:
                self.deadline = time.monotonic() + HEAD_S
            return False
        if not 0 <= end <= MAX_HEAD:
            raise HttpError(431, f"the line and headers of a request have {MAX_HEAD:,} bytes at most")
        head = parse_head(bytes(buffer[:end]))
        self._routes.admit(head)
        self._head = head
        del buffer[: end + len(END)]
        self.deadline = time.monotonic() + HEAD_S + head.length / SLOWEST_BYTES_A_SECOND
        if head.expects and len(buffer) < head.length:
            self._stream.send([CONTINUE])
        return True

    def _reply(self, answer: WorkerAnswer) -> None:
        head, self._ticket = self._head, None
        if head is None or not self._stream.is_open:
            return
        self._routes.released(head.length)
        self._head, self._is_waiting = None, False
        self.deadline = time.monotonic() + IDLE_S
        body = b"" if head.method == "HEAD" else answer.body
        kind = answer.type or JSON
        self._stream.send([response_head(answer.status, len(answer.body), answer.json_length, head.keep, kind), body])
        if not head.keep:
            self._linger()
            return
        if self._is_paused:
            self._pause(False)
        if not self._is_advancing and self._stream.buffer:
            self._arrived()

    def _refuse(self, error: HttpError) -> None:
        """Answer an error, after which the connection ends: what follows in it has no known beginning."""
        if self._head is not None:
            self._routes.released(self._head.length)
        body = json.dumps({"error": str(error)}).encode()
        self._stream.send([response_head(error.status, len(body), None, False), body])
        self._linger()

    def _linger(self) -> None:
        """End it once the client has read the answer: closed with unread bytes, TCP would discard the answer."""
        self._is_lingering, self._head = True, None
        self._stream.buffer.clear()
        self._stream.finish()
        self.deadline = time.monotonic() + LINGER_S

    def _pause(self, paused: bool) -> None:
        self._is_paused = paused
        self._stream.pause(paused)

    def _gone(self) -> None:
        if self._ticket is not None:
            self._ticket.is_gone = True
        if self._head is not None:
            self._routes.released(self._head.length)
            self._head = None
        self._ended(self)
