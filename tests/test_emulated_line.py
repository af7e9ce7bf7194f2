"""The whole line on a device that counts: this machine says it is emulated, and a clock stands in for its counter."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit.pipeline import deploy
from tests.conftest import Built, Command
from tests.measure.clocked import Emulated
from tests.networks import TOML, write_project

RATIO = "profile.gates.instructions_ratio"
WIDE = ("--set", f"{RATIO}.max=1000")


@pytest.fixture
def emulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def connect(url: str) -> Iterator[Emulated]:
        yield Emulated(f"local://{tmp_path / 'device'}")

    monkeypatch.setattr(deploy, "connect", connect)


def _gate(report: Any) -> tuple[str, str]:
    (found,) = (gate for gate in report["gates"] if gate["name"] == "instructions_ratio")
    return found["outcome"], found["meaning"]


@pytest.mark.usefixtures("emulated")
def test_a_run_is_compared_with_the_host_and_with_the_run_before(
    command: Command, built: Built, tmp_path: Path
) -> None:
    argv = ("run", *built.options, *WIDE, "--device", "emulated", "--samples", 40, "--json")
    first = command(*argv, "--out", tmp_path / "one")
    assert first.code == 0, first.err + first.out
    (report,) = first.document["reports"]
    assert report["host_parity"]["sentence"] == "the device computes the very same values as the host"
    assert report["host_parity"]["samples"] == 40
    assert report["sampling"] == {"taken": 40, "total": 64, "stratified": True}
    assert report["candidate"]["kind"] == "emulated"
    assert report["candidate"]["instructions"] > 0
    assert report["candidate"]["latency_ns"]["reason"] == "an emulated device has no time of its own"
    assert _gate(report)[0] == "not measurable"

    second = command(*argv, "--out", tmp_path / "two", "--baseline", tmp_path / "one")
    assert second.code == 0, second.err + second.out
    (again,) = second.document["reports"]
    assert again["baseline_instructions"] == report["candidate"]["instructions"]
    assert _gate(again)[0] == "passed"

    document = tmp_path / "main.json"
    document.write_text(second.out)
    third = command(*argv, "--out", tmp_path / "three", "--baseline", document, "--set", f"{RATIO}.max=0.001")
    assert third.code == 1
    assert _gate(third.document["reports"][0])[0] == "failed"


@pytest.mark.usefixtures("emulated")
def test_a_baseline_of_another_backend_leaves_a_run_undecided(command: Command, built: Built, tmp_path: Path) -> None:
    other = json.loads((built.out / "report.json").read_text()) | {"backend": "tflite"}
    (tmp_path / "report.json").write_text(json.dumps(other))
    argv = ("run", *built.options, *WIDE, "--device", "emulated", "--samples", 40, "--baseline", tmp_path, "--json")
    ended = command(*argv, "--out", tmp_path / "out")
    assert ended.code == 1
    outcome, meaning = _gate(ended.document["reports"][0])
    assert outcome == "undecided"
    assert "the baseline is of other runs than this one: host, tflite, host-int8; edgekit run" in meaning


def test_a_baseline_that_is_not_there_is_told_before_anything_is_done(command: Command, tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    argv = ("run", "--project", project, "--target", "host", "--backend", "onnx", "--out", tmp_path / "out")
    said = command(*argv, "--baseline", tmp_path / "gone").refused("EK101", 2)
    assert "there is no baseline" in said
    assert "--baseline DIR" in said
    assert not (tmp_path / "out").exists()


def test_a_project_names_its_baseline_relative_to_itself(command: Command, tmp_path: Path) -> None:
    toml = TOML + '\n[reference]\nbaseline = "kept/main.json"\n'
    project = write_project(tmp_path / "project", toml=toml)
    (project / "kept").mkdir()
    (project / "kept" / "main.json").write_text("{}")
    argv = ("run", "--project", project, "--target", "host", "--backend", "onnx", "--out", tmp_path / "out")
    said = command(*argv).refused("EK101", 2)
    assert "main.json' is not a report" in said
