"""NVIDIA's `trtexec`: where it is, which TensorRT it is of, and a run of it that ends."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Sequence

from ..machine.command import command_output
from ..machine.parent_death import parent_death_signal

JETPACK = "/usr/src/tensorrt/bin"
"""Where JetPack's package `libnvinfer-bin` has it, on no PATH."""
OUTPUT_BYTES = 4096
"""What is kept of its output: the end says why it failed."""


def find() -> str | None:
    """The program, if it is here."""
    return shutil.which("trtexec", path=os.pathsep.join((os.environ.get("PATH", os.defpath), JETPACK)))


def version(program: str) -> tuple[int, ...] | None:
    """The TensorRT that `program` is of, such as (8, 6, 1): it says so before it reads its arguments."""
    return parsed_version(command_output(program, "--help", lines=3))


def parsed_version(banner: str) -> tuple[int, ...] | None:
    """Of `&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # …`: 8.6.1; v100300 is 10.3.0.

    NvInferVersion.h: NV_TENSORRT_VERSION is major * 1000 + minor * 100 + patch, from 10 on major * 10000 + the rest.
    """
    match = re.search(r"\[TensorRT v(\d{4,6})\]", banner, re.ASCII)
    if not match:
        return None
    number = int(match[1])
    major = 1000 if number < 10_000 else 10_000
    return number // major, number % major // 100, number % 100


def run(argv: Sequence[str], limit_s: float) -> tuple[int, str]:
    """Exit status and the end of what it says. Past the limit it is killed with its children, and the status negative.

    It is killed too when the runner is.
    """
    process = subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=parent_death_signal(),
    )
    assert process.stdout is not None
    late = threading.Timer(limit_s, _kill, [process])
    output = b""
    with process:
        try:
            late.start()
            while chunk := process.stdout.read1(1 << 16):  # type: ignore[attr-defined]
                output = (output + chunk)[-OUTPUT_BYTES:]
            code = process.wait()
        finally:
            late.cancel()
            _kill(process)
    return code, output.decode("utf-8", "replace")


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
