"""Tasks on emulated boards: the trained network, built for the board, flashed over ssh or adb, and judged there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.backends.free_networks import free_project
from tests.command_line import LENIENT
from tests.conftest import Command

pytestmark = [pytest.mark.emulated, pytest.mark.usefixtures("emulation")]
SAMPLES = 32


def ran(command: Command, folder: Path, out: Path, target: str, backend: str, profile: str) -> Any:
    """Report of a run on the emulated device of the target."""
    argv = ("--project", folder, "--target", target, "--backend", backend, "--profile", profile, *LENIENT)
    ended = command("run", *argv, "--device", "emulated", "--samples", SAMPLES, "--json", "--out", out)
    assert ended.code in (0, 1), ended.err
    (report,) = ended.document["reports"]
    return report


@pytest.mark.parametrize(
    ("name", "target", "cpu", "backend", "profile", "metric", "lost"),
    [
        ("segmenter", "android-arm64", "cortex-a53", "tflite", "android-int8", "miou", 0.02),
        ("keywords", "raspberry-pi-5", "cortex-a76", "onnx", "raspberry-pi-int8", "top1", 0.06),
    ],
)
def test_a_task_is_judged_on_the_board_by_its_own_metric(
    command: Command,
    project_of: Callable[[str], Path],
    tmp_path: Path,
    name: str,
    target: str,
    cpu: str,
    backend: str,
    profile: str,
    metric: str,
    lost: float,
) -> None:
    """Maps over adb and scores over ssh, by two backends; ExecuTorch is below, and in `test_emulated_line`.

    Metrics are computed on the host, of outputs; `test_vision` and `test_dense` hold every task's there.
    """
    report = ran(command, project_of(name), tmp_path / "out", target, backend, profile)
    reference, candidate = (report[side]["metric"] for side in ("reference", "candidate"))
    assert (reference["name"], candidate["name"]) == (metric, metric)
    assert abs(reference["value"] - candidate["value"]) <= lost
    environment = report["candidate"]["environment"]
    assert (environment["machine"], environment["cpu"]) == ("aarch64", cpu)
    assert report["candidate"]["instructions"] > 1000
    assert report["agreement"] >= 0.9
    # Kernels of another machine may round otherwise; answers stay those of the host's run of the same bundle.
    assert report["host_parity"]["same_answers"] >= 0.95


def test_samples_of_every_length_are_answered_on_the_board(command: Command, tmp_path: Path) -> None:
    """By ExecuTorch, whose program takes a free length on the board as it is."""
    folder = free_project(tmp_path / "encoder", "encoder").root
    text = (folder / "edgekit.toml").read_text()
    (folder / "edgekit.toml").write_text(
        text.replace('loader = "data.py:Data"', 'loader = "data.py:Data", labelled = false')
    )
    report = ran(command, folder, tmp_path / "out", "raspberry-pi-5", "executorch", "float32")
    assert report["sqnr_db"] > 90
    assert report["agreement"] == 1.0
    assert report["host_parity"]["same_answers"] == 1.0
    assert "metric" not in report["reference"]
