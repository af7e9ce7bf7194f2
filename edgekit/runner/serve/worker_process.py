"""A worker as the server sees it: a forked process, the socket to it, and the requests that it was given."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Protocol

from .frame import WorkerAnswer, request_frame, take_answer
from .stream import Stream
from .worker import work

if TYPE_CHECKING:
    from .served_slot import ServedBundle


FINISH_S = 2.0
"""Time limit of a worker's last writing, once the server has drained."""


class Ticket:
    """A request in the queue, or with a worker."""

    __slots__ = ("answered", "arrived_ns", "attempts", "body", "is_gone", "json_length", "queue_ns")

    def __init__(self, json_length: int | None, body: bytes, answered: Callable[[WorkerAnswer], None]) -> None:
        self.json_length, self.body, self.answered = json_length, body, answered
        self.arrived_ns, self.queue_ns = perf_counter_ns(), 0
        self.attempts = 0
        self.is_gone = False
        """True if the client has gone: nobody waits for the answer."""


class Owner(Protocol):
    """Owner of workers, which is told how they fare."""

    def loaded(self, worker: WorkerProcess) -> None: ...

    def answered(self, worker: WorkerProcess, ticket: Ticket, answer: WorkerAnswer) -> None: ...

    def ended(self, worker: WorkerProcess) -> None: ...


class WorkerProcess:
    """A process with the model of `bundle`.

    It is forked from a process that has imported neither numpy nor a runtime: their threads would not come along.
    owner: what is told when its model is loaded, when an answer comes, and once it has ended.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        bundle: ServedBundle,
        threads: int,
        owner: Owner,
    ) -> None:
        self.bundle = bundle
        self.metadata: dict[str, Any] | None = None
        """Announcement of its model, once that is loaded."""
        self.why = ""
        """Reason why it ended, where it could say so itself."""
        self.since = time.monotonic()
        """Time at which it was started, or given its requests."""
        self.tickets: deque[Ticket] = deque()
        self.ended = False
        self._owner = owner
        ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if not self.pid:
            _run(bundle, threads, theirs)
        theirs.close()
        self._stream = Stream(selector, ours, self._arrived, self._gone)

    @property
    def is_ready(self) -> bool:
        return self.metadata is not None and not self.ended

    @property
    def is_idle(self) -> bool:
        return self.is_ready and not self.tickets

    def give(self, tickets: list[Ticket]) -> None:
        """Give it requests, for one batch."""
        now_ns = perf_counter_ns()
        for ticket in tickets:
            ticket.attempts += 1
            ticket.queue_ns = now_ns - ticket.arrived_ns
        self.tickets.extend(tickets)
        self.since = time.monotonic()
        self._stream.send(request_frame([(ticket.json_length, ticket.body) for ticket in tickets]))

    def end(self) -> None:
        """End it, whatever it is at; its requests stay in `tickets`."""
        if not self.ended:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)
            self._gone()

    def finish(self) -> None:
        """Let it write what it has counted, and end; it has FINISH_S for that."""
        if self.is_idle:
            self._stream.close()  # which ends it
            until = time.monotonic() + FINISH_S
            while not os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) and time.monotonic() < until:
                time.sleep(0.005)
        self.end()

    def _arrived(self) -> None:
        while not self.ended:
            answer = take_answer(self._stream.buffer)
            if answer is None:
                return
            if self.metadata is None:
                document = json.loads(answer.body)
                if "error" in document:
                    self.why = document["error"]
                    self.end()
                    return
                self.metadata = document
                self._owner.loaded(self)
            else:
                self._owner.answered(self, self.tickets.popleft(), answer)

    def _gone(self) -> None:
        if self.ended:
            return
        self.ended = True
        self._stream.close()
        # It has closed its socket, or was killed: it ends at once.
        _, status = os.waitpid(self.pid, 0)
        if not self.why:
            signalled = os.WIFSIGNALED(status)
            self.why = f"its process died by signal {os.WTERMSIG(status)}" if signalled else "its process ended"
        self._owner.ended(self)


def _run(bundle: ServedBundle, threads: int, channel: socket.socket) -> None:
    """Serve the channel in this forked process, which has no other descriptor of the server's, and end it."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # Ctrl-C in a terminal reaches all: the server ends its workers once they have answered.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _close_others(channel.fileno())
        work(bundle, threads, channel)
    except BaseException:  # noqa: BLE001 the server sees that it ended
        os._exit(1)
    finally:
        os._exit(0)


def _close_others(kept: int) -> None:
    """Close what the server has open: a connection would stay open for its client as long as this process lives."""
    for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if descriptor > 2 and descriptor != kept:
            with contextlib.suppress(OSError):
                os.close(descriptor)
