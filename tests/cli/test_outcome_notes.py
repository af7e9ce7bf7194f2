"""After a build and a run: where the bundle lies, and what became of the model."""

from __future__ import annotations

import os
from pathlib import Path

from tests.command_line import QUICK
from tests.conftest import Built, Command

STRICT = ("--set", "profile.gates.agreement.min=1", "--set", "profile.gates.size_ratio.max=0.01")


def test_a_build_says_where_its_bundle_lies(built: Built) -> None:
    assert f"bundle: {built.bundle}" in built.ended.stderr.splitlines()


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
    assert not os.path.lexists(device / "current")
