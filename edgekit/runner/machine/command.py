"""Output of a program of the system: a fixed command, a time limit, a bound on its bytes."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import time

LIMIT_S = 3.0
LIMIT_BYTES = 1 << 20
CHUNK_BYTES = 1 << 16
# A session over SSH may lack these: where Debian keeps what is root's, and a Raspberry Pi kept vcgencmd until 2021.
ELSEWHERE = ("/usr/sbin", "/opt/vc/bin")


def command_output(*argv: str, lines: int | None = None) -> str:
    """Run `argv` and return what it prints, to its end or up to its first `lines`.

    Cut after LIMIT_S seconds or LIMIT_BYTES; "" if there is no such program. It is killed by then, with every process
    that it started.
    """
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *ELSEWHERE))
    program = shutil.which(argv[0], path=path)
    if program is None:
        return ""
    try:
        process = subprocess.Popen(
            [program, *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return ""
    with process:
        try:
            return _read(process, lines).decode("utf-8", "replace")
        finally:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)


def _read(process: subprocess.Popen[bytes], lines: int | None) -> bytes:
    assert process.stdout is not None
    fd = process.stdout.fileno()
    ready = select.poll()
    ready.register(fd, select.POLLIN | select.POLLHUP)
    output = bytearray()
    deadline = time.monotonic() + LIMIT_S
    while len(output) < LIMIT_BYTES and (lines is None or output.count(b"\n") < lines):
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not ready.poll(left_s * 1e3):
            break
        chunk = os.read(fd, CHUNK_BYTES)
        if not chunk:
            break
        output += chunk
    return bytes(output[:LIMIT_BYTES])
