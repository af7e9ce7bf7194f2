"""Converters that never end, die, or fail, as an installed plug-in; and ways to see what a stopped build left."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.cache import Cache
from edgekit.errors import CommandFailed
from tests.networks import write_project

MARK = "EDGEKIT_TEST_MARK"
STARTED = "EDGEKIT_TEST_STARTED"
BACKENDS = """
import os, signal, sys
from pathlib import Path


class Stalling:
    name, format, packages, preload = "stalling", "onnx", (), ()
    refuses, at_lowering = {}, frozenset()

    def lower(self, program, target, runtime, out, recipe=None):
        (out / "half.onnx").write_bytes(b"half")
        Path(os.environ["EDGEKIT_TEST_STARTED"]).touch()
        signal.pause()


class Dying(Stalling):
    name = "dying"

    def lower(self, program, target, runtime, out, recipe=None):
        print("about to fall", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)


class Failing(Stalling):
    name = "failing"

    def lower(self, program, target, runtime, out, recipe=None):
        raise ValueError("three is not two")
"""
ENTRIES = """
[edgekit.backends]
stalling = stalling_backends:Stalling
dying = stalling_backends:Dying
failing = stalling_backends:Failing
"""
TARGET = """
schema = 1
title = "A bench"
family = "bench"
sources = ["here"]
[cpu]
cores = ["1x"]
[memory]
ram_mb = 1
[deploy]
transport = "local"
root = "/"
""" + "".join(f'[[runtime]]\nbackend = "{name}"\ndelegates = ["cpu"]\n' for name in ("stalling", "dying", "failing"))


PROFILE = 'schema = 1\nsummary = "Nothing but float."\nfamilies = ["bench"]\ndefault = true\n'


def install(site: Path) -> Path:
    """Write a package with these backends, like `pip install --target SITE`."""
    metadata = site / "stalling_backends-1.dist-info"
    metadata.mkdir(parents=True)
    (site / "stalling_backends.py").write_text(BACKENDS)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: stalling-backends\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(ENTRIES)
    return site


def project(folder: Path) -> Path:
    """A project with two targets that these backends serve, and a profile for them."""
    write_project(folder, samples=8)
    (folder / "targets").mkdir()
    (folder / "profiles").mkdir()
    (folder / "targets" / "bench.toml").write_text(TARGET)
    (folder / "targets" / "bench-2.toml").write_text(TARGET)
    (folder / "profiles" / "bench.toml").write_text(PROFILE)
    return folder


def marked(mark: str) -> list[int]:
    """The processes that have `mark` in their environment, as everything that a marked command started has."""
    wanted = f"{MARK}={mark}".encode()
    pids = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                pids.append(int(folder.name))
        except OSError:
            continue
    return [pid for pid in pids if pid != os.getpid()]


def until(condition: Callable[[], bool], seconds: float = 300) -> bool:
    """Wait for the condition; return whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def stopped(command: Callable[[float], object], note: Path) -> None:
    """Have a command that never ends stopped by its time limit, once it has begun and left its note.

    A busy machine may take longer than a second to begin; then it is given more.
    """
    for limit_s in (1, 4, 16, 64):
        with pytest.raises(CommandFailed, match=f"did not end within {limit_s} s"):
            command(limit_s)
        if note.exists():
            return
    pytest.fail("it never began")


def gone(mark: str) -> bool:
    """Wait until the system has ended all that a marked command started; return whether nothing of it is alive."""
    return until(lambda: not marked(mark))


def whole(cache: Path) -> bool:
    """Tell whether every entry of a cache is as it was sealed."""
    entries = list(cache.glob("entries/*/*"))
    return all(Cache(cache).find(entry.name) for entry in entries) and all(
        json.loads(memo.read_text()) for memo in cache.glob("memos/*")
    )
