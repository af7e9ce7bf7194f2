"""The runner as a device has it: a bare folder, where edgekit cannot be imported."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from platformdirs import user_cache_path

import edgekit.runner

TFLITE_RUNTIME = ("tflite-runtime==2.14.0", "numpy==1.26.4")


@dataclass(frozen=True)
class Answer:
    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The one line that stdout must be."""
        (line,) = self.stdout.splitlines()
        document: dict[str, Any] = json.loads(line)
        return document


@dataclass(frozen=True)
class Bare:
    """Runs `python -m runner`."""

    folder: Path
    python: tuple[str, ...] = (sys.executable,)

    def ask(self, *argv: object) -> Answer:
        command = [*self.python, "-m", "runner", *map(str, argv)]
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Bare:
    folder = tmp_path_factory.mktemp("device")
    source = Path(edgekit.runner.__file__).parent
    shutil.copytree(source, folder / "runner", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "edgekit.py").write_text("raise ImportError('the runner imported edgekit')\n")
    return Bare(folder)


@pytest.fixture(scope="session")
def bare_tflite_runtime(bare: Bare) -> Bare:
    """The runner under tflite-runtime and numpy 1, in an environment that is made once."""
    if sys.version_info[:2] != (3, 11):
        pytest.skip("tflite-runtime 2.14.0 has no wheel for this Python")
    folder = user_cache_path("edgekit") / "test-environments" / "tflite-runtime-2.14.0"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            _make_environment(folder, TFLITE_RUNTIME)
    return Bare(bare.folder, (str(folder / "bin" / "python"),))


def _make_environment(folder: Path, packages: Sequence[str]) -> None:
    python = folder / "bin" / "python"
    steps = ([sys.executable, "-m", "venv", "--clear", folder], [python, "-m", "pip", "install", "-q", *packages])
    for step in steps:
        try:
            subprocess.run(list(map(str, step)), check=True, capture_output=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"an environment with {packages[0]} cannot be made: {error}")
    (folder / "complete").touch()
