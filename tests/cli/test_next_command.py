"""After a build and a run: where the bundle lies, what became of it, and the command to type next."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from tests.command_line import QUICK
from tests.conftest import Built, Command

STRICT = ("--set", "profile.gates.agreement.min=1", "--set", "profile.gates.size_ratio.max=0.01")


def next_line(stderr: str) -> str:
    return next(line for line in stderr.splitlines() if line.startswith("next: ")).removeprefix("next: ")


def test_a_build_says_where_its_bundle_lies_and_how_to_run_it(built: Built) -> None:
    assert f"bundle: {built.bundle}" in built.ended.stderr.splitlines()
    words = shlex.split(next_line(built.ended.stderr))
    assert words[:2] == ["edgekit", "run"]
    assert words[-2:] == ["--device", "local://"]
    assert [str(option) for option in built.options] == words[2 : 2 + len(built.options)]


def test_a_run_that_takes_the_model_back_says_so_before_the_report(
    command: Command, built: Built, tmp_path: Path
) -> None:
    device = tmp_path / "device"
    ended = command("run", *built.options, *QUICK, *STRICT, "--out", tmp_path / "out", "--device", f"local://{device}")
    assert ended.code == 1
    taken = next(line for line in ended.stderr.splitlines() if line.startswith("TAKEN BACK: "))
    assert f"local://{device} serves what it served before, as this model failed: " in taken
    assert "size_ratio" in taken
    assert ended.out.startswith("FAILED")
    assert ended.stderr.index("TAKEN BACK") < ended.stderr.index("next: ")
    assert "size_ratio in the report says" in next_line(ended.stderr) or "diagnose" in next_line(ended.stderr)
    assert not os.path.lexists(device / "current")
