"""A non-blocking socket in the server's loop: what has arrived on it, and what is still to be sent."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable

CHUNK = 1 << 16
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Stream:
    """A connected socket. `arrived` is called when `buffer` has grown, `ended` once when the other side has gone."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        sock: socket.socket,
        arrived: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self._selector, self._sock, self._arrived, self._ended = selector, sock, arrived, ended
        self._unsent = bytearray()
        self._interest = READ
        self.buffer = bytearray()
        self.is_open = True
        self._is_finishing = False
        sock.setblocking(False)
        selector.register(sock, READ, self.handle)

    @property
    def is_flushed(self) -> bool:
        """True if all that was given to `send` is with the system."""
        return not self._unsent

    def handle(self, events: int) -> None:
        """Read and send what can be, as the selector has told; nothing if another event of the same time closed it."""
        if events & WRITE and self.is_open:
            self._flush()
        if events & READ and self.is_open:
            self._read()

    def send(self, parts: list[bytes]) -> None:
        """Send now what the system takes, and the rest when it takes more."""
        if not self.is_open:
            return
        if not self._unsent:
            try:
                sent = self._sock.sendmsg(parts)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._end()
                return
            if sent == sum(map(len, parts)):
                return
            self._unsent += b"".join(parts)[sent:]
            self._listen(self._interest | WRITE)
            return
        for part in parts:
            self._unsent += part

    def pause(self, paused: bool) -> None:
        """Stop reading, or go on."""
        self._listen(self._interest & ~READ if paused else self._interest | READ)

    def finish(self) -> None:
        """Tell the other side, behind what is still to be sent, that nothing follows."""
        self._is_finishing = True
        if self.is_flushed and self.is_open:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            if self._interest:
                self._selector.unregister(self._sock)
            self._sock.close()

    def _read(self) -> None:
        try:
            chunk = self._sock.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._end()
            return
        self.buffer += chunk
        self._arrived()

    def _flush(self) -> None:
        try:
            sent = self._sock.send(memoryview(self._unsent)[: 16 * CHUNK])
        except BlockingIOError:
            return
        except OSError:
            self._end()
            return
        del self._unsent[:sent]
        if not self._unsent:
            self._listen(self._interest & ~WRITE)
            if self._is_finishing:
                self.finish()

    def _listen(self, interest: int) -> None:
        if not self.is_open or interest == self._interest:
            return
        if not interest:
            self._selector.unregister(self._sock)
        elif not self._interest:
            self._selector.register(self._sock, interest, self.handle)
        else:
            self._selector.modify(self._sock, interest, self.handle)
        self._interest = interest

    def _end(self) -> None:
        if self.is_open:
            self.close()
            self._ended()
