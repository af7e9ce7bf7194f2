"""A worker as the server sees it: a process, the socket to it, and the requests that it was given."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Protocol

from ..layout import RUNTIMES
from ..machine.own_command import own_command
from .frame import WorkerAnswer, request_frame, take_answer
from .stream import Stream

if TYPE_CHECKING:
    from .served_slot import ServedBundle


END_S = 5.0
"""Time limit of a worker that has closed its channel."""
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

    It is a program of its own, by the Python that has this bundle's runtime, which need not be the server's.
    owner: what is told when its model is loaded, when an answer comes, and once it has ended. Raises OSError if that
    Python does not start.
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
        with theirs:
            argv = _command(bundle, threads, theirs.fileno())
            # Ctrl-C in a terminal is the server's, which ends its workers once they have answered.
            try:
                self._process = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], start_new_session=True
                )
            except OSError:
                ours.close()
                raise
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
            self._process.kill()
            self._gone()

    def finish(self) -> None:
        """Let it write what it has counted, and end; it has FINISH_S for that."""
        if self.is_idle:
            self._stream.close()  # which ends it
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(FINISH_S)
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
        try:
            # It has closed its socket, or was killed: it ends at once.
            status = self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        if not self.why:
            self.why = f"its process died by signal {-status}" if status < 0 else "its process ended"
        self._owner.ended(self)


def _command(bundle: ServedBundle, threads: int, channel: int) -> list[str]:
    """Command line of a worker, by the Python that has the bundle's runtime: this one's, or that of a runtime pack."""
    own = own_command()
    packs = str(bundle.slot.parent / RUNTIMES) + os.sep
    # Another program than these is none that edgekit has started, whatever the state says.
    is_known = bundle.python and (bundle.python[0] == own.python[0] or bundle.python[0].startswith(packs))
    python = bundle.python if bundle.python and is_known and ".." not in bundle.python[0] else own.python
    about = ("work", str(bundle.slot.parent), "--digest", bundle.digest)
    return [*python, *own.program, *about, "--threads", str(threads), "--channel", str(channel)]
