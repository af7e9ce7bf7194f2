"""The command line as its users have it, or in the process of the tests, where a build costs a third."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

COMMAND = (sys.executable, "-m", "edgekit.cli")
NOTHING: Mapping[str, str] = {}
NEXT = re.compile(r"^(bundle|next|TAKEN BACK|ON TRIAL): ?.*\n", re.MULTILINE)
"""Line after a build or a run that says where the bundle lies, what became of it, or what to type."""
STAGE = re.compile(r"^\[[^\]\n]+\] (.+)\n", re.MULTILINE)
"""Line that tells of a stage as it begins, where stderr is no terminal."""
LENIENT = (
    *("--set", "profile.gates.size_ratio.max=2"),
    *("--set", "profile.gates.accuracy_drop.max=0.5"),
    *("--set", "profile.gates.not_slower=false"),
)
"""Gates for a network too small to shrink, on too few samples to tell."""
QUICK = (
    *("--set", "profile.probe.min_duration_s=0.1"),
    *("--set", "profile.probe.min_count=16"),
    *("--set", "profile.probe.processes=1"),
)
"""A latency run that is over in a moment: each process imports the runtime anew."""
PLAIN = ("--set", "profile.quantize.repair=false")
"""Static int8 as it comes out, for tests of something else: repair has the program simulated on held-out samples."""


@dataclass(frozen=True)
class Ended:
    """Exit code and output of a command that ended."""

    code: int
    out: str
    stderr: str

    @property
    def err(self) -> str:
        """Standard error, but for the lines that tell of a stage as it begins, and of what comes next."""
        return NEXT.sub("", STAGE.sub("", self.stderr))

    @property
    def stages(self) -> list[str]:
        """Names of the stages that began, in their order."""
        return [name for name in STAGE.findall(self.stderr) if not name.endswith(" s so far")]

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    def refused(self, code: str, exit_code: int) -> str:
        """Assert that the command ended with this error and printed nothing else; return the message with its hint."""
        note, error, refusal = self.err.partition(f"error {code}: ")
        assert error, self.err
        assert note == "" or (note.startswith("made your signing key") and note.count("\n") == 1), self.err
        assert self.code == exit_code
        assert self.out == "" or self.document["error"]["code"] == code
        assert "\n  hint: " in refusal, self.err
        assert "Traceback" not in refusal
        return refusal


def environment(extra: Mapping[str, str] = NOTHING) -> dict[str, str]:
    """Ours, with what a test adds, and the checkout under test first on the path."""
    path = os.pathsep.join(
        filter(None, (extra.get("PYTHONPATH"), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")))
    )
    return {**os.environ, **extra, "PYTHONPATH": path}


def start(*argv: object, cwd: Path | None = None, env: Mapping[str, str] = NOTHING) -> subprocess.Popen[str]:
    """The command in a process of its own, running."""
    return subprocess.Popen(
        [*COMMAND, *map(str, argv)],
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def in_terminal(*argv: str, cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A program in a terminal of its own, which types what is written to stdin and whose screen is stdout.

    By a fresh process: a fork of this one would have the threads of what other tests imported.
    """
    spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    return subprocess.Popen(
        [sys.executable, "-c", spawn, *argv],
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def end(process: subprocess.Popen[str], timeout: float = 480) -> Ended:
    """Wait for the command."""
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        process.kill()
        process.wait()
    return Ended(process.returncode, out, err)


def edgekit(*argv: object, cwd: Path | None = None, env: Mapping[str, str] = NOTHING, timeout: float = 480) -> Ended:
    """The command in a process of its own, to its end."""
    return end(start(*argv, cwd=cwd, env=env), timeout)


def edgekit_here(*argv: object, env: Mapping[str, str] = NOTHING) -> Ended:
    """The command in this process, to its exit.

    A process of its own imports torch, and starts converters that import as much again: 8 to 16 s of CPU for each
    build. Here both have done so, and the converters serve the builds of all tests of one environment.
    """
    from edgekit.cli import execute

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        pytest.MonkeyPatch.context() as patch,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["edgekit", *map(str, argv)])
        for name, value in env.items():
            patch.setenv(name, value)
        for name in ("SSH_AUTH_SOCK", "EDGEKIT_PASSPHRASE_FILE", "PYTEST_CURRENT_TEST"):
            patch.delenv(name, raising=False)
        try:
            execute()
        except SystemExit as exit:
            code = int(exit.code or 0)
        finally:
            logging.disable(logging.NOTSET)
            for number, handler in before.items():
                signal.signal(number, handler)
    return Ended(code, out.getvalue(), err.getvalue())
