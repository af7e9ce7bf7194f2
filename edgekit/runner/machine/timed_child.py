"""A function run in a child process with a time limit, so that what hangs or crashes takes nothing else with it."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Any

from ..errors import RunnerError
from ..failure import ANSWER_FD, failure, write_answer

LIMIT_BYTES = 1 << 20
CHUNK_BYTES = 1 << 16
FAULTS = (signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV)
"""Signals by which a library ends its process; the system that is short of memory takes another one."""


def in_child(work: Callable[[], dict[str, Any]], limit_s: float) -> dict[str, Any]:
    """Run `work` in a forked child and return its document, which must be JSON.

    Call it before a runtime is imported: its threads would not come along. Raises RunnerError: what `work` raised;
    hung after `limit_s` seconds, with the child killed; crashed if a fault of its libraries ended it, run if anything
    else did.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        _answer(work, writer)
    os.close(writer)
    try:
        written = _read(reader, limit_s)
    finally:
        os.close(reader)
        with contextlib.suppress(OSError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if written is None:
        raise RunnerError("hung", f"there was no answer within {limit_s:g} s, and it was ended")
    if not written:
        crashed = os.WIFSIGNALED(status) and os.WTERMSIG(status) in FAULTS
        raise RunnerError("crashed" if crashed else "run", f"the process died{_cause(status)}")
    document: dict[str, Any] = json.loads(written)
    if "error" in document and "kind" in document:
        raise RunnerError(document["kind"], document["error"])
    return document


def _answer(work: Callable[[], dict[str, Any]], writer: int) -> None:
    """Write the document, or the failure, and end this process.

    What `work` registered at exit is run, such as the seal of a GPU's kernels, and nothing that its parent registered.
    """
    atexit._clear()
    try:
        # Where a watch ends this process by itself, its answer is for the parent, not for the host.
        os.dup2(writer, ANSWER_FD, inheritable=False)
        os.close(writer)
        try:
            document: dict[str, Any] = work()
        except Exception as error:  # noqa: BLE001 whatever a driver or runtime raises must reach the parent
            document = failure(error)
        write_answer(document)
        atexit._run_exitfuncs()
    finally:
        os._exit(0)


def _read(reader: int, limit_s: float) -> bytes | None:
    """Everything that is written until the end; None if the time is over before."""
    ready = select.poll()
    ready.register(reader, select.POLLIN | select.POLLHUP)
    written = bytearray()
    deadline = time.monotonic() + limit_s
    while len(written) < LIMIT_BYTES:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not ready.poll(left_s * 1e3):
            return None
        chunk = os.read(reader, CHUNK_BYTES)
        if not chunk:
            break
        written += chunk
    return bytes(written)


def _cause(status: int) -> str:
    return f" by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else ""
