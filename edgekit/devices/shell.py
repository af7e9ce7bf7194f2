"""A device of which nothing is known but that a shell answers: what ssh and adb have in common."""

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
"""Time limit of what moves no bytes."""
SLOWEST_BYTES_PER_S = 200_000
"""The slowest link that a transfer is waited for; emulated devices do about 4 MB/s."""
SLOWEST_DISK_BYTES_PER_S = 2_000_000
"""The slowest card that a device flushes to and reads back."""
GRACE_S = 10
"""How long after its time limit a script ends by itself, on a device that cannot be told any more."""
RESUMED_BYTES = 1 << 20
"""Up to here, sending a file anew is quicker than asking how much of it is there."""
LINE_BYTES = 100_000
"""Linux takes no argument of 128 KiB, and the line is one."""
FULL = re.compile("No space left on device|Disk quota exceeded|File too large")


@dataclass(frozen=True)
class ScriptResult:
    """How a script ended: its status as shells have it, and what it says of that."""

    stdout: str
    stderr: str
    code: int
    word: str


@dataclass(frozen=True)
class Shell(ABC):
    """`push`, `pull` and `run` of a transport, over any client that hands a line to the device's shell.

    The client's standard streams are those of the line, and stay apart; what it exits with is not asked for. The line
    has a process group of its own there, as sshd and adbd see to.
    """

    url: str

    @abstractmethod
    def client(self, line: str) -> Sequence[str]:
        """How a program of this machine is started that has the device's shell read `line`."""

    @abstractmethod
    def failure(self, ended: Completed) -> EdgekitError | None:
        """What it means that this client ended before the line did; None if the connection was lost."""

    def environment(self) -> Mapping[str, str]:
        """What is added to the client's environment."""
        return {}

    def push(self, local: Path, remote: PurePosixPath) -> None:
        """Put a file on the device whole or not at all, making the folders it needs. Of an interrupted one, the rest.

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
            asked = scripts.fetch(remote)
            self._check(self.ask(asked, limit_s(size), sink=file, stall=stall_s(size), most=size), remote, "read")
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
                said = f"'{argv[0]}' did not end within {timeout:g} s, and was stopped"
                raise CommandFailed(f"{self.url}: {said}") from None
        if answer.word == "missing":
            raise CommandFailed(f"{self.url}: there is no command '{argv[0]}'")
        code = 128 - answer.code if 128 < answer.code <= 128 + 64 else answer.code
        return Completed(tuple(argv), answer.stdout, answer.stderr, code)

    def free_bytes(self, folder: PurePosixPath) -> int | None:
        """The room on the disk where `folder` is, or would be; None if the device does not say."""
        found = re.search(r"\b(\d{1,18})\s+\d{1,3}%\s+/", self.ask(scripts.free(folder)).stdout)
        return int(found[1]) * 1024 if found else None

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
        """What the device's shell answers to a script of ours.

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
        told = re.search(rf"{mark} (\d{{1,3}}) (\w{{0,40}})", ended.stderr)
        if told is None:
            raise self.failure(ended) or _lost(self.url, ended)
        return ScriptResult(ended.stdout, ended.stderr[: told.start()], int(told[1]), told[2])

    def _check(self, answer: ScriptResult, remote: PurePosixPath, done: str) -> None:
        if not answer.code:
            return
        if FULL.search(answer.stderr):
            raise StorageError(f"{self.url}: the disk of '{remote.parent}' is full", hint="make room on the device")
        why = (last_lines(answer.stderr, 1) or [f"exit {answer.code}"])[-1]
        raise CommandFailed(f"{self.url}: '{remote}' cannot be {done}: {why}", hint="name a folder of the user's own")


@dataclass(frozen=True)
class _Push:
    """One file on its way."""

    shell: Shell
    file: FileIO
    remote: PurePosixPath

    def answer(self) -> ScriptResult:
        self.file.seek(0)
        digest = hashlib.file_digest(self.file, "sha256").hexdigest()
        size = self.file.tell()
        length, taken = self._partial(size, digest) if size > RESUMED_BYTES else (0, "")
        answer = self._send(size, digest, length, taken)
        # Another push of the same file was quicker to take it.
        return self._send(size, digest, 0, "") if answer.word == "gone" else answer

    def _partial(self, size: int, digest: str) -> tuple[int, str]:
        """Length and name of the longest beginning of the file that an interrupted push left on the device."""
        asked = scripts.partials(self.remote.parent, self._tag, digest)
        found = _described(self.shell.ask(asked, limit_s(size)))
        whole = [(length, name) for name, length, sha in found if self._digest(length) == sha]
        return max(whole, default=(0, ""))

    def _send(self, size: int, digest: str, length: int, taken: str) -> ScriptResult:
        self.file.seek(length)
        asked = scripts.receive(self.remote.parent, self.remote.name, self._tag, digest, size, taken)
        return self.shell.ask(asked, limit_s(size), source=self.file, stall=stall_s(size))

    def _digest(self, length: int) -> str:
        """SHA-256 of the file's first bytes."""
        sha = hashlib.sha256()
        self.file.seek(0)
        while length and (chunk := self.file.read(min(length, 1 << 20))):
            sha.update(chunk)
            length -= len(chunk)
        return sha.hexdigest()

    @property
    def _tag(self) -> str:
        """The target's name, in letters that no shell minds."""
        return hashlib.sha256(os.fsencode(self.remote.name)).hexdigest()[:8]


def _described(answer: ScriptResult) -> list[tuple[str, int, str]]:
    """Name, bytes and SHA-256 of files, from among what else the user's shell may have to say."""
    lines = re.findall(r"^(\S+) (\d{1,18}) ([0-9a-f]{64})\b", answer.stdout, re.MULTILINE)
    return [(name, int(length), sha) for name, length, sha in lines]


def _lost(url: str, ended: Completed) -> ConnectionLost:
    last = last_lines(ended.stderr, 1)
    return ConnectionLost(": ".join((f"{url}: the connection was lost", *last)), hint="try again")


def limit_s(size: int) -> float:
    """Time limit of moving that many bytes and summing them up at both ends."""
    return STALL_S + size / SLOWEST_BYTES_PER_S


def stall_s(size: int) -> float:
    """How long a file may stand still on its way: at its end the device flushes it and sums it up."""
    return STALL_S + size / SLOWEST_DISK_BYTES_PER_S


def _reserve(file: IO[bytes], size: int) -> None:
    """Have a full disk say so before anything is fetched; what writes to it later could not say why it failed."""
    # macOS has no such call: there the digest is what shows.
    if size and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)


@contextlib.contextmanager
def _lifeline() -> Iterator[IO[bytes]]:
    """An input without a byte, which ends when this process does."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "wb"):
        yield source
