"""Subprocesses: the one module of the field wing that starts them, with limits, and leaves none behind."""

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
"""Size in bytes of the end of each output stream that is kept."""
CHUNK_BYTES = 1 << 16
LOOK_S = 0.1
"""Period of checks whether the process has ended while a child of it holds its streams open."""


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

    source: file that it reads; nothing if None. sink: file that it writes to; the answer's `stdout` if None.
    timeout: seconds until it is killed. stall: seconds without progress in `source` or `sink` until it is killed.
    most: bytes in `sink` above which it is killed. env: variables that are added to the environment.
    It has a process group of its own, of which nothing is left when this returns or raises, also on Ctrl-C.
    Raises CommandFailed if it does not start, or was killed for one of these limits.
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
            raise CommandFailed(f"'{argv[0]}' {limit.reason()}, and was stopped") from error
        finally:
            _kill_group(process)
    text = [bytes(kept).decode("utf-8", "replace") for kept in (stdout, stderr)]
    return Completed(tuple(argv), text[0], text[1], process.returncode)


# The pipe on its input is closed when this process ends, whatever ends it: then everything is killed and removed.
WATCHED = '"$@" & read -r _; kill -9 $!; /bin/rm -rf "$0"; kill -9 0'


@contextlib.contextmanager
def background(argv: Sequence[str], folder: Path, *, env: Mapping[str, str] | None = None) -> Iterator[Path]:
    """Run a program, without input, during the block; yields the file in `folder` with its output.

    Nothing of its process group is left at the end. If this process is killed, the folder is removed, too. A program
    that cannot be started, or ends early, shows that in the file only. Raises CommandFailed if there is no shell.
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
    """Run a program that ends when its standard input is closed: after the block, or when this process is killed.

    log: file for its output. grace: seconds in which it may end; then its process group is killed. Raises
    CommandFailed if it does not start.
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
    """Limits of a program: a deadline, one that each byte of progress in a file moves on, and a size."""

    def __init__(self, timeout: float, stall: float | None, file: IO[bytes] | None, most: int | None) -> None:
        self._timeout, self._stall, self._file, self._most = timeout, stall, file, most
        self._deadline = monotonic() + timeout
        self._moved_to, self._moved_at = -1, monotonic()

    def left_s(self) -> float:
        """Seconds that are left, at most 0 when a limit is reached."""
        now = monotonic()
        left_s = self._deadline - now
        if (self._stall is None and self._most is None) or self._file is None:
            return left_s
        # The program has the same offset as we: both have one open file.
        offset = os.lseek(self._file.fileno(), 0, os.SEEK_CUR)
        if offset != self._moved_to:
            self._moved_to, self._moved_at = offset, now
        if self._most is not None and offset > self._most:
            return 0.0
        return left_s if self._stall is None else min(left_s, self._moved_at + self._stall - now)

    def reason(self) -> str:
        """Reason for killing the program, as the end of a sentence."""
        if self._most is not None and self._moved_to > self._most:
            return f"sent more than {self._most:,} bytes"
        if monotonic() < self._deadline:
            return f"moved nothing for {self._stall:.0f} s"
        return f"did not end within {self._timeout:g} s"


def _collect(process: subprocess.Popen[bytes], limit: _Limit) -> tuple[bytearray, bytearray]:
    """Collect stdout and stderr until the process ends. Raises TimeoutError or TimeoutExpired past the limit."""
    kept = (bytearray(), bytearray())
    with selectors.DefaultSelector() as streams:
        for stream, buffer in zip((process.stdout, process.stderr), kept, strict=True):
            if stream:
                streams.register(stream, selectors.EVENT_READ, buffer)
        while streams.get_map():
            left_s = limit.left_s()
            if left_s <= 0:
                raise TimeoutError
            # Looked at before reading: what it wrote before it ended is in the pipes by then.
            ended = process.poll() is not None
            ready = streams.select(0 if ended else min(left_s, LOOK_S))
            for key, _ in ready:
                if not _read(key.fd, key.data):
                    streams.unregister(key.fileobj)
            if ended and not ready:
                break
    process.wait(max(0.0, limit.left_s()))
    return kept


def _read(descriptor: int, buffer: bytearray) -> bool:
    """Read a chunk into the buffer; False at the end of the stream."""
    chunk = os.read(descriptor, CHUNK_BYTES)
    buffer += chunk
    del buffer[:-KEPT_BYTES]
    return bool(chunk)


def _started(argv: Sequence[str], log: Path, env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    """Start a program in a process group of its own, with its output in `log`. Raises CommandFailed."""
    try:
        with log.open("wb") as output:
            return subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
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
