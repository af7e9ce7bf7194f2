"""What a program of the system says: a fixed command, a time limit, a bounded answer; nothing if there is none."""

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
    """What `argv` prints, to its end or its first `lines`; as far as it came where it is slow, and "" where absent.

    The program is ended by then, and with it whatever it started.
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
    said = bytearray()
    deadline = time.monotonic() + LIMIT_S
    while len(said) < LIMIT_BYTES and (lines is None or said.count(b"\n") < lines):
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not ready.poll(left_s * 1e3):
            break
        chunk = os.read(fd, CHUNK_BYTES)
        if not chunk:
            break
        said += chunk
    return bytes(said[:LIMIT_BYTES])
