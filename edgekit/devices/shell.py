"""Transport over a shell of the device: the common part of ssh and adb. Nothing but a POSIX shell is needed there."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path, PurePosixPath
from time import monotonic
from typing import IO

from edgekit.atomic import readable, replacing, stored
from edgekit.devices import process, scripts
from edgekit.devices.command_log import logged_run, logged_transfer
from edgekit.devices.scripts import Script
from edgekit.devices.transport import PULL_BYTES, Completed
from edgekit.errors import CommandFailed, ConnectionLost, EdgekitError, StorageError, Unreachable
from edgekit.untrusted.sanitize import last_lines

STALL_S = 60.0
"""Time limit in seconds of a script that moves no bytes."""
SLOWEST_BYTES_PER_S = 200_000
"""Slowest link that is planned for; emulated devices have about 4 MB/s."""
SLOWEST_DISK_BYTES_PER_S = 2_000_000
"""Slowest memory card that is planned for, which a device flushes to and reads back."""
GRACE_S = 10
"""Seconds after its time limit at which a script ends by itself, should the connection be lost."""
RESUMED_BYTES = 1 << 20
"""Size up to which sending a file again is quicker than finding out how much of it is there."""
LINE_BYTES = 100_000
"""Largest size of a line: it is one argument, and Linux takes none of 128 KiB."""
FULL = re.compile("No space left on device|Disk quota exceeded|File too large")


@dataclass(frozen=True)
class ScriptResult:
    """End of a script: its exit status, 128 and more for signals, and its word."""

    stdout: str
    stderr: str
    code: int
    word: str


@dataclass(frozen=True)
class Shell(ABC):
    """Transport over any client program that hands a line to the device's shell: `push`, `pull`, `run`, `free_bytes`.

    A subclass writes `client` and `failure`, and connects in `__enter__`; `Transport` has an example. The client's
    standard streams must be those of the line, and stay apart; its exit status does not matter. The line must have a
    process group of its own on the device, as sshd and adbd make one.
    """

    url: str

    @abstractmethod
    def client(self, line: str) -> Sequence[str]:
        """Command line of the program on this machine that has the device's shell run `line`."""

    @abstractmethod
    def failure(self, ended: Completed) -> EdgekitError | None:
        """Error for a client that ended before the line did; None if the connection was lost."""

    def environment(self) -> Mapping[str, str]:
        """Variables that are added to the client's environment."""
        return {}

    def push(self, local: Path, remote: PurePosixPath) -> None:
        """Put a file on the device whole or not at all, with the folders it needs; resumes an interrupted push.

        Raises StorageError if the device is full, CommandFailed if it cannot be written, Unreachable or ConnectionLost.
        """
        with logged_transfer(self.url, "push", remote, local):
            self._push(local, remote)

    def _push(self, local: Path, remote: PurePosixPath) -> None:
        with readable(local), local.open("rb", buffering=0) as file:
            answer = _Push(self, file, remote).answer()
        if answer.word == "folder":
            raise CommandFailed(f"{self.url}: '{remote}' is a folder there")
        if answer.word == "other":
            raise CommandFailed(f"{self.url}: '{remote}' did not arrive as it was sent, and was dropped")
        self._check(answer, remote, "written")

    def pull(self, remote: PurePosixPath, local: Path, limit: int = PULL_BYTES) -> None:
        """Fetch a file of at most `limit` bytes whole or not at all.

        Raises CommandFailed if there is none or it is larger, StorageError if the disk is full, Unreachable or
        ConnectionLost.
        """
        with logged_transfer(self.url, "pull", remote, local):
            self._pull(remote, local, limit)

    def _pull(self, remote: PurePosixPath, local: Path, limit: int) -> None:
        described = self.ask(scripts.describe(remote))
        if described.word == "missing":
            raise CommandFailed(f"{self.url}: there is no file '{remote}'")
        self._check(described, remote, "read")
        files = _described(described)
        if not files:
            raise CommandFailed(f"{self.url}: it does not say what '{remote}' is")
        _, size, digest = files[-1]
        if size > limit:
            raise CommandFailed(f"{self.url}: '{remote}' has {size:,} bytes, {limit:,} at most were to come")
        with stored(local), replacing(local) as file:
            _reserve(file, size)
            script = scripts.fetch(remote)
            self._check(self.ask(script, limit_s(size), sink=file, stall=stall_s(size), most=size), remote, "read")
            file.seek(0)
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise CommandFailed(f"{self.url}: '{remote}' did not arrive as it is there, and was dropped")

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        """Run a command on the device to its end.

        It and its children end there, too, when its time is up, this process stops or the connection is lost. A status
        of 128 and a signal's number, which shells give for the signal, counts as one. Raises CommandFailed if there is
        no such command or it has not ended after `timeout` seconds, Unreachable, or ConnectionLost.
        """
        return logged_run(self.url, argv, lambda: self._run(argv, timeout))

    def _run(self, argv: Sequence[str], timeout: float) -> Completed:
        with _lifeline() as source:
            try:
                answer = self._exchange(scripts.command(argv), timeout, source=source)
            except TimeoutError:
                problem = f"'{argv[0]}' did not end within {timeout:g} s, and was stopped"
                raise CommandFailed(f"{self.url}: {problem}") from None
        if answer.word == "missing":
            raise CommandFailed(f"{self.url}: there is no command '{argv[0]}'")
        code = 128 - answer.code if 128 < answer.code <= 128 + 64 else answer.code
        return Completed(tuple(argv), answer.stdout, answer.stderr, code)

    def free_bytes(self, folder: PurePosixPath) -> int | None:
        """Free bytes on the disk where `folder` is, or would be; None if the device does not say."""
        match = re.search(r"\b(\d{1,18})\s+\d{1,3}%\s+/", self.ask(scripts.free(folder)).stdout)
        return int(match[1]) * 1024 if match else None

    def ask(
        self,
        script: Script,
        timeout: float = STALL_S,
        *,
        source: IO[bytes] | None = None,
        sink: IO[bytes] | None = None,
        stall: float | None = None,
        most: int | None = None,
    ) -> ScriptResult:
        """Run a script of `edgekit.devices.scripts` in the device's shell.

        Raises Unreachable after `timeout`, ConnectionLost also if `source` or `sink` stand still for `stall` seconds,
        CommandFailed if more than `most` bytes come into `sink`.
        """
        started = monotonic()
        try:
            return self._exchange(script, timeout, source=source, sink=sink, stall=stall, most=most)
        except TimeoutError:
            if stall is not None and monotonic() - started < timeout:
                message = f"{self.url}: the connection was lost: nothing moved for {stall:.0f} s"
                raise ConnectionLost(message, hint="try again") from None
            raise Unreachable(f"{self.url}: no answer within {timeout:.0f} s", hint="is the link up?") from None

    def _exchange(
        self,
        script: Script,
        timeout: float,
        *,
        source: IO[bytes] | None = None,
        sink: IO[bytes] | None = None,
        stall: float | None = None,
        most: int | None = None,
    ) -> ScriptResult:
        line, mark = script.text(math.ceil(timeout) + GRACE_S)
        if len(os.fsencode(line)) > LINE_BYTES:
            raise CommandFailed(f"{self.url}: a command of {len(line)} characters is too long")
        started = monotonic()
        try:
            client = self.client(line)
            ended = process.run(
                client, timeout=timeout, source=source, sink=sink, stall=stall, most=most, env=self.environment()
            )
        except CommandFailed as error:
            if monotonic() - started < min(timeout, stall or timeout):
                raise
            raise TimeoutError from error
        status = re.search(rf"{mark} (\d{{1,3}}) (\w{{0,40}})", ended.stderr)
        if status is None:
            raise self.failure(ended) or _lost(self.url, ended)
        return ScriptResult(ended.stdout, ended.stderr[: status.start()], int(status[1]), status[2])

    def _check(self, answer: ScriptResult, remote: PurePosixPath, action: str) -> None:
        if not answer.code:
            return
        if FULL.search(answer.stderr):
            raise StorageError(f"{self.url}: the disk of '{remote.parent}' is full", hint="make room on the device")
        why = (last_lines(answer.stderr, 1) or [f"exit {answer.code}"])[-1]
        raise CommandFailed(f"{self.url}: '{remote}' cannot be {action}: {why}", hint="name a folder of the user's own")


@dataclass(frozen=True)
class _Push:
    """Push of one file, resumed where an earlier one was interrupted."""

    shell: Shell
    file: FileIO
    remote: PurePosixPath

    def answer(self) -> ScriptResult:
        self.file.seek(0)
        digest = hashlib.file_digest(self.file, "sha256").hexdigest()
        size = self.file.tell()
        length, partial = self._partial(size, digest) if size > RESUMED_BYTES else (0, "")
        answer = self._send(size, digest, length, partial)
        # Another push of the same file has resumed that partial first.
        return self._send(size, digest, 0, "") if answer.word == "gone" else answer

    def _partial(self, size: int, digest: str) -> tuple[int, str]:
        """Length and name of the longest partial file that an interrupted push left and that fits this file."""
        script = scripts.partials(self.remote.parent, self._tag, digest)
        files = _described(self.shell.ask(script, limit_s(size)))
        fitting = [(length, name) for name, length, sha in files if self._digest(length) == sha]
        return max(fitting, default=(0, ""))

    def _send(self, size: int, digest: str, length: int, partial: str) -> ScriptResult:
        self.file.seek(length)
        script = scripts.receive(self.remote.parent, self.remote.name, self._tag, digest, size, partial)
        return self.shell.ask(script, limit_s(size), source=self.file, stall=stall_s(size))

    def _digest(self, length: int) -> str:
        """SHA-256 of the first `length` bytes of the file."""
        sha = hashlib.sha256()
        self.file.seek(0)
        while length and (chunk := self.file.read(min(length, 1 << 20))):
            sha.update(chunk)
            length -= len(chunk)
        return sha.hexdigest()

    @property
    def _tag(self) -> str:
        """Hash of the target's name, in letters that are safe in every shell."""
        return hashlib.sha256(os.fsencode(self.remote.name)).hexdigest()[:8]


def _described(answer: ScriptResult) -> list[tuple[str, int, str]]:
    """Parse name, bytes and SHA-256 of files, among other output of the login shell."""
    lines = re.findall(r"^(\S+) (\d{1,18}) ([0-9a-f]{64})\b", answer.stdout, re.MULTILINE)
    return [(name, int(length), sha) for name, length, sha in lines]


def _lost(url: str, ended: Completed) -> ConnectionLost:
    last = last_lines(ended.stderr, 1)
    return ConnectionLost(": ".join((f"{url}: the connection was lost", *last)), hint="try again")


def limit_s(size: int) -> float:
    """Time limit in seconds for a transfer of `size` bytes, with the digests at both ends."""
    return STALL_S + size / SLOWEST_BYTES_PER_S


def stall_s(size: int) -> float:
    """Longest time in seconds without progress: at the end the device flushes the file and computes its digest."""
    return STALL_S + size / SLOWEST_DISK_BYTES_PER_S


def _reserve(file: IO[bytes], size: int) -> None:
    """Reserve disk space first, so that a full disk gives its own error before anything is fetched."""
    # macOS has no such call: there the digest is what shows.
    if size and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)


@contextlib.contextmanager
def _lifeline() -> Iterator[IO[bytes]]:
    """Open an input without a byte, which is closed when this process ends."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "wb"):
        yield source
