"""A full disk is one clear error, wherever it strikes, and leaves nothing half-written.

The system's limit on the size of a file stands in for it: a write beyond it fails as one on a full disk does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import Ended, edgekit_here, environment
from tests.conftest import Built
from tests.failing_converters import whole
from tests.networks import write_project

LIMITED = """
import resource, sys
from edgekit.cli import main

limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
main()
"""
FLOAT = ("--target", "host", "--profile", "float32")


def limited(limit: int, *argv: object, env: dict[str, str]) -> Ended:
    """The command, which can write no file larger than `limit` bytes."""
    command = [sys.executable, "-c", LIMITED, str(limit), *map(str, argv)]
    done = subprocess.run(command, env=environment(env), capture_output=True, text=True, timeout=120)
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "limit", [0, 300, 600, 10_000], ids=["anything", "a note", "the samples", "the program, which torch writes"]
)
def test_a_cache_on_a_full_disk(places: dict[str, str], tmp_path: Path, limit: int) -> None:
    project, out, cache = write_project(tmp_path / "project", samples=64), tmp_path / "out", tmp_path / "cache"
    env = {"EDGEKIT_CACHE": str(cache)}
    argv = ("build", "--project", project, *FLOAT, "--backend", "onnx", "--out", out)
    refusal = limited(limit, *argv, env=env).refused("EK503", 3)
    assert "\n  hint: df -h " in refusal
    assert not out.exists()
    assert whole(cache)
    assert list(cache.glob("partial/*")) == []
    assert [path for path in cache.glob("memos/*") if path.suffix != ".json"] == []


def test_a_converter_on_a_full_disk_and_a_second_try_with_room(places: dict[str, str], tmp_path: Path) -> None:
    project, out, cache = write_project(tmp_path / "project", samples=8), tmp_path / "out", places["EDGEKIT_CACHE"]
    argv = ("build", "--project", project, "--target", "host", "--backend", "onnx", "--out", out, "--profile")
    assert edgekit_here(*argv, "float32", env=places).code in (0, 1)
    before = {path: path.read_bytes() for path in out.iterdir()}
    # All is in the cache but what the converter makes of the dynamic recipe.
    refusal = limited(2000, *argv, "dynamic-int8", env=places).refused("EK503", 3)
    assert f"the disk of '{cache}" in refusal
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert whole(Path(cache))
    assert edgekit_here(*argv, "dynamic-int8", env=places).code in (0, 1)


@pytest.mark.parametrize("limit", [100, 3000], ids=["the manifest", "the model"])
def test_an_output_folder_on_a_full_disk(built: Built, places: dict[str, str], tmp_path: Path, limit: int) -> None:
    before = {path: path.read_bytes() for path in built.out.iterdir()}
    for out in (built.out, tmp_path / "out"):
        refusal = limited(limit, "build", *built.options, "--out", out, env=places).refused("EK503", 3)
        assert f"the disk of '{out}" in refusal
    assert not (tmp_path / "out").exists()
    assert {path: path.read_bytes() for path in built.out.iterdir()} == before


def test_a_device_on_a_full_disk_serves_what_it_served(built: Built, places: dict[str, str], tmp_path: Path) -> None:
    device, other = tmp_path / "device", tmp_path / "other"
    to = ("--device", f"local://{device}")
    assert " is full" in limited(3000, "flash", built.bundle, *to, env=places).refused("EK503", 3)
    assert not (device / "current").exists()
    assert edgekit_here("flash", built.bundle, *to, env=places).code == 0
    assert edgekit_here("build", *built.options, "--profile", "float32", "--out", other, env=places).code == 0
    refusal = limited(3000, "flash", next(other.glob("*.edgekit")), *to, env=places).refused("EK503", 3)
    assert " is full" in refusal
    assert str((device / "current").readlink()) == "a"
    state = json.loads((device / "state.json").read_text())
    assert [event["verdict"] for event in state["history"]] == ["staged", "trial", "committed"]
