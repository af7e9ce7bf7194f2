"""The one place of the field that starts processes."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import IO

from edgekit.devices.transport import Completed
from edgekit.errors import CommandFailed

KEPT_BYTES = 4 << 20
"""How much of each stream is kept: the end of it."""
CHUNK_BYTES = 1 << 16
LOOK_S = 0.1
"""How often to look whether the process ended while a child of it holds its streams open."""


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    source: IO[bytes] | None = None,
    sink: IO[bytes] | None = None,
    stall: float | None = None,
    most: int | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run a program, without a shell, to its end.

    It reads the file `source`, or nothing, and writes to the file `sink`, or into the answer; `env` is added to the
    environment. It has a process group of its own, of which nothing is left when this returns or raises: at its end,
    on Ctrl-C, after `timeout` seconds, or after `stall` seconds in which it neither read nor wrote, or a moment after
    it wrote more than `most` bytes into `sink`. Raises CommandFailed if it does not start or does not end in time.
    """
    limit = _Limit(timeout, stall, source or sink, most)
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if source is None else source,
            stdout=subprocess.PIPE if sink is None else sink,
            stderr=subprocess.PIPE,
            env={**os.environ, **env} if env else None,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise CommandFailed(f"'{argv[0]}' could not be started: {error}") from error
    with process:
        try:
            stdout, stderr = _collect(process, limit)
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            raise CommandFailed(f"'{argv[0]}' {limit.said()}, and was stopped") from error
        finally:
            _kill_group(process)
    text = [bytes(kept).decode("utf-8", "replace") for kept in (stdout, stderr)]
    return Completed(tuple(argv), text[0], text[1], process.returncode)


# The pipe on its input is closed when this process ends, whatever ends it: then all goes.
WATCHED = '"$@" & read -r _; kill -9 $!; /bin/rm -rf "$0"; kill -9 0'


@contextlib.contextmanager
def background(argv: Sequence[str], folder: Path, *, env: Mapping[str, str] | None = None) -> Iterator[Path]:
    """A program that runs, without input, as long as the `with`; yields the file in `folder` that has what it says.

    Nothing of its process group is left at the end. If this process is killed, the folder goes too. A program that
    cannot be started, or ends early, says so in the file only. Raises CommandFailed if there is no shell.
    """
    log = folder / "log"
    with _started(["/bin/sh", "-c", WATCHED, str(folder), *argv], log, env) as process:
        try:
            yield log
        finally:
            _kill_group(process)


@contextlib.contextmanager
def attended(
    argv: Sequence[str], log: Path, *, grace: float, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that ends when its standard input is closed: at the end of the `with`, or when this process is killed.

    What it says goes to the file `log`. After `grace` seconds to end in, nothing of its process group is left.
    Raises CommandFailed if it does not start.
    """
    with _started(argv, log, env) as process:
        try:
            yield process
        finally:
            try:
                if process.stdin:
                    process.stdin.close()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(grace)
            finally:
                _kill_group(process)


class _Limit:
    """Until when a program may run: a deadline, and one for each byte that it takes from a file or gives to it."""

    def __init__(self, timeout: float, stall: float | None, file: IO[bytes] | None, most: int | None) -> None:
        self._timeout, self._stall, self._file, self._most = timeout, stall, file, most
        self._deadline = monotonic() + timeout
        self._moved_to, self._moved_at = -1, monotonic()

    def left(self) -> float:
        """Seconds, below zero when it is over."""
        now = monotonic()
        left = self._deadline - now
        if (self._stall is None and self._most is None) or self._file is None:
            return left
        # The program has the same offset as we: both have one open file.
        offset = os.lseek(self._file.fileno(), 0, os.SEEK_CUR)
        if offset != self._moved_to:
            self._moved_to, self._moved_at = offset, now
        if self._most is not None and offset > self._most:
            return 0.0
        return left if self._stall is None else min(left, self._moved_at + self._stall - now)

    def said(self) -> str:
        if self._most is not None and self._moved_to > self._most:
            return f"sent more than {self._most:,} bytes"
        if monotonic() < self._deadline:
            return f"moved nothing for {self._stall:.0f} s"
        return f"did not end within {self._timeout:g} s"


def _collect(process: subprocess.Popen[bytes], limit: _Limit) -> tuple[bytearray, bytearray]:
    """What the process wrote until it ended. Raises TimeoutError or TimeoutExpired past the limit."""
    kept = (bytearray(), bytearray())
    with selectors.DefaultSelector() as streams:
        for stream, buffer in zip((process.stdout, process.stderr), kept, strict=True):
            if stream:
                streams.register(stream, selectors.EVENT_READ, buffer)
        while streams.get_map():
            left = limit.left()
            if left <= 0:
                raise TimeoutError
            # Looked at before reading: what it wrote before it ended is in the pipes by then.
            ended = process.poll() is not None
            ready = streams.select(0 if ended else min(left, LOOK_S))
            for key, _ in ready:
                if not _read(key.fd, key.data):
                    streams.unregister(key.fileobj)
            if ended and not ready:
                break
    process.wait(max(0.0, limit.left()))
    return kept


def _read(descriptor: int, buffer: bytearray) -> bool:
    """Whether there was more."""
    chunk = os.read(descriptor, CHUNK_BYTES)
    buffer += chunk
    del buffer[:-KEPT_BYTES]
    return bool(chunk)


def _started(argv: Sequence[str], log: Path, env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    """A program of a process group of its own, that says everything into `log`. Raises CommandFailed."""
    try:
        with log.open("wb") as said:
            return subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                env={**os.environ, **env} if env else None,
                start_new_session=True,
            )
    except (OSError, ValueError) as error:
        raise CommandFailed(f"'{argv[0]}' could not be started: {error}") from error


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
