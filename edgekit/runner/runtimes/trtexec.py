"""NVIDIA's `trtexec`: find it, tell its TensorRT version, and run it within a time limit."""

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
"""Folder of the program in JetPack's package `libnvinfer-bin`, which is on no PATH."""
OUTPUT_BYTES = 4096
"""Size in bytes of the output that is kept, its end: that says why it failed."""


def find() -> str | None:
    """Path of the program; None if it is not installed."""
    return shutil.which("trtexec", path=os.pathsep.join((os.environ.get("PATH", os.defpath), JETPACK)))


def version(program: str) -> tuple[int, ...] | None:
    """TensorRT version of `program`, such as (8, 6, 1), from its banner; None if that says none."""
    return parsed_version(command_output(program, "--help", lines=3))


def parsed_version(banner: str) -> tuple[int, ...] | None:
    """Parse `&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # …`: 8.6.1; v100300 is 10.3.0.

    NvInferVersion.h: NV_TENSORRT_VERSION is major * 1000 + minor * 100 + patch, from 10 on major * 10000 + the rest.
    """
    match = re.search(r"\[TensorRT v(\d{4,6})\]", banner, re.ASCII)
    if not match:
        return None
    number = int(match[1])
    major = 1000 if number < 10_000 else 10_000
    return number // major, number % major // 100, number % 100


def run(argv: Sequence[str], limit_s: float) -> tuple[int, str]:
    """Run the program: its exit status and the end of its output.

    After `limit_s` seconds it is killed with its children, and the status is negative. It is killed, too, when the
    runner is.
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
