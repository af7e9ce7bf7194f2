"""The server's loop: it accepts connections, watches what the device serves, and ends in order."""

from __future__ import annotations

import contextlib
import resource
import selectors
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .connection import Connection
from .http_message import response_head
from .integrity_watch import IntegrityWatch
from .served_slot import ServedSlot

if TYPE_CHECKING:
    from .routes import ProtocolRoutes
    from .worker_pool import WorkerPool

TICK_S = 0.2
"""Pause in seconds between two looks at what is served, and at time limits."""
DRAIN_S = 15.0
"""Time limit of the answers that are under way when the server is ended."""
CONNECTIONS = 1024
ACCEPTED = 32
"""Connections that are accepted in a row."""
SPARE = 64
"""Descriptors for all but connections."""
FULL = b'{"error": "there are too many connections"}'


class InferenceServer:
    """A server of the slot that `root` serves, until SIGTERM or SIGINT."""

    def __init__(
        self,
        root: Path,
        listeners: Sequence[socket.socket],
        selector: selectors.BaseSelector,
        pool: WorkerPool,
        routes: ProtocolRoutes,
        check_s: float,
    ) -> None:
        self._slot, self._selector, self._pool, self._routes = ServedSlot(root), selector, pool, routes
        self._integrity = IntegrityWatch(root, check_s)
        self._listeners = list(listeners)
        self._connections: set[Connection] = set()
        self._most = _descriptors()
        self._stopped = ""

    def run(self) -> str:
        """Serve; the name of the signal that ended it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for listener in self._listeners:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, lambda _, at=listener: self._accept(at))
        next_tick = 0.0
        while not self._stopped:
            now = time.monotonic()
            if now >= next_tick:
                self._tick(now)
                next_tick = now + TICK_S
            self._handle(next_tick - now)
        self._drain()
        return self._stopped

    def _stop(self, number: int, _: object) -> None:
        self._stopped = signal.Signals(number).name

    def _handle(self, wait_s: float) -> None:
        for key, events in self._selector.select(max(0.0, wait_s)):
            key.data(events)

    def _tick(self, now: float) -> None:
        if self._slot.look() and self._slot.bundle:
            self._pool.serve(self._slot.bundle)
        elif self._slot.bundle is None and self._pool.live is None:
            self._pool.why = self._slot.why
        self._pool.tick()
        damage = self._integrity.look(now, self._pool.live)
        if damage:
            self._pool.take_out(damage)
        for connection in list(self._connections):
            connection.check(now)

    def _accept(self, listener: socket.socket) -> None:
        """Accept what waits, and no more than `ACCEPTED` at once: those who are connected wait for answers."""
        for _ in range(ACCEPTED):
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            self._connect(accepted)

    def _connect(self, accepted: socket.socket) -> None:
        if len(self._connections) >= self._most and not self._close_idle():
            with contextlib.suppress(OSError):
                accepted.setblocking(False)
                accepted.sendall(response_head(503, len(FULL), None, False) + FULL)
            accepted.close()
            return
        if accepted.family != socket.AF_UNIX:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(self._selector, accepted, self._routes, self._connections.discard)
        self._connections.add(connection)

    def _close_idle(self) -> bool:
        """Close the connection that has been without a request for longest; False if all have one."""
        idle = min((each for each in self._connections if each.is_idle), key=lambda each: each.deadline, default=None)
        if idle is None:
            return False
        idle.close()
        return True

    def _drain(self) -> None:
        """Accept nothing more, answer what is under way, and end the workers."""
        for listener in self._listeners:
            self._selector.unregister(listener)
            listener.close()
        for connection in list(self._connections):
            connection.finish()
        until = time.monotonic() + DRAIN_S
        while self._connections and time.monotonic() < until:
            self._pool.tick()
            self._handle(TICK_S)
            for connection in list(self._connections):
                connection.check(time.monotonic())
        for connection in list(self._connections):
            connection.close()
        self._pool.close()
        self._integrity.close()


def _descriptors() -> int:
    """Raise the limit of descriptors as far as the system lets, and count the connections that it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + SPARE
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(CONNECTIONS, soft - SPARE))
