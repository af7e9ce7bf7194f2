"""Supervisor: runs a command in a process of its own, which a project's code may end, but not speak for.

The process hands its exit code over through a pipe, last of all. One that ends without that is an error, whatever its
status: `os._exit(0)` in a factory is no success, and status 1 no missed gate. This guards against accidents, not
against code that looks for the pipe: whose project it is may do all that the user may.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import select
import signal
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

from edgekit.cli.memory import VARIABLE, resident_bytes
from edgekit.cli.stop import APART_S
from edgekit.errors import Crash, EdgekitError, Interrupted, MemoryLimit
from edgekit.parent_death import die_with_parent

COMMANDS = frozenset(
    {"ablate", "build", "compare", "diagnose", "init", "predict", "probe", "reference", "report", "run"}
)
"""Commands that load a project's network or read its data; the others start without a second process."""
LOOK_S = 0.2
"""Seconds between two looks at the memory of the process."""
INSISTED = 3
"""Number of the signal, counted from 1, that ends a process which ignored those before."""

Leave = Callable[[int], NoReturn]
"""Ends a process at once with an exit code, threads and all."""


def command_in(argv: Sequence[str]) -> str | None:
    """Return the name of the command in a command line: what stands behind `--verbose` and `--log FILE`, if anything.

    Another option of the root, such as --version, runs no command.
    """
    words = iter(argv)
    for word in words:
        if word == "--log":
            next(words, None)
        elif word not in ("-v", "--verbose") and not word.startswith("--log="):
            return None if word.startswith("-") else word
    return None


def supervise(name: str, command: Callable[[Leave], NoReturn], limit_bytes: int) -> int:
    """Run `command`, which is `edgekit NAME`, in a fork of this process; return the exit code that it hands over.

    Signals go on to it. Raises Crash if it ends without a word, MemoryLimit if it held more than `limit_bytes`,
    Interrupted if a signal ended it.
    """
    signals, parent = Forwarding(), os.getpid()
    signals.install()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _work(command, writer, parent)
    os.close(writer)
    signals.attach(child)
    status, exceeded = _ended(child, reader, limit_bytes)
    handed = _handed(reader)
    if handed:
        return int(handed)
    if signals.count:
        raise Interrupted("stopped before the end", hint="run it again: stages that the cache has are reused")
    raise _exceeded(name, limit_bytes) if exceeded else _crash(name, os.waitstatus_to_exitcode(status))


class Forwarding:
    """Forwarding of SIGINT and SIGTERM to a process.

    It may get them from the terminal, too: `Stop` takes two as one.
    """

    def __init__(self) -> None:
        self.count, self._at, self._child = 0, float("-inf"), 0

    def install(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self)

    def attach(self, child: int) -> None:
        """Say which process; what came before is handed on now."""
        self._child = child
        if self.count:
            self._send(signal.SIGINT)

    def __call__(self, number: int, frame: object) -> None:
        if time.monotonic() - self._at > APART_S:
            self.count += 1
        self._at = time.monotonic()
        self._send(signal.SIGKILL if self.count >= INSISTED else number)

    def _send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._child:
                os.kill(self._child, number)


def _work(command: Callable[[Leave], NoReturn], writer: int, parent: int) -> NoReturn:
    """Run the command in this process, the child, and hand over how it leaves."""
    die_with_parent(parent)
    own = os.getpid()
    if os.environ.get("EDGEKIT_DEBUG"):
        faulthandler.enable()

    def hand_over(code: int) -> None:
        if os.getpid() == own:  # a project's code may fork, too
            os.write(writer, b"%d" % code)

    def leave(code: int) -> NoReturn:
        hand_over(code)
        os._exit(code)

    try:
        command(leave)
    except SystemExit as left:
        hand_over(int(left.code or 0))
        raise


def _ended(child: int, reader: int, limit_bytes: int) -> tuple[int, bool]:
    """Wait for the process to end; return its status, and whether it was ended because of its memory."""
    exceeded = False
    while not select.select([reader], [], [], LOOK_S)[0]:
        # A process that it left behind may hold the pipe open.
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status, exceeded
        if resident_bytes(child) > limit_bytes:
            exceeded = True
            os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1], exceeded


def _handed(reader: int) -> bytes:
    os.set_blocking(reader, False)
    try:
        return os.read(reader, 16)
    except BlockingIOError:
        return b""
    finally:
        os.close(reader)


def _exceeded(name: str, limit_bytes: int) -> EdgekitError:
    megabytes = limit_bytes // 1_000_000
    return MemoryLimit(
        f"'edgekit {name}' held more than {megabytes} MB of memory, and was stopped",
        hint=f"{VARIABLE}={2 * megabytes} in front of the command, if the machine has that much",
    )


def _crash(name: str, code: int) -> EdgekitError:
    process = "the process that runs the project's code"
    if code >= 0:
        return Crash(
            f"{process} ended with status {code} before 'edgekit {name}' was done",
            hint="grep -rn 'exit(' --include='*.py' .   # what calls os._exit, in the project or in what it imports",
        )
    number = signal.Signals(-code)
    told = (
        "free -m   # Linux kills so when memory runs out" if number == signal.SIGKILL else "EDGEKIT_DEBUG=1 shows where"
    )
    return Crash(f"{process} was killed by {number.name} before 'edgekit {name}' was done", hint=told)
