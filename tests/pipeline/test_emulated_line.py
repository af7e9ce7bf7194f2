"""The whole line on emulated devices, as a user types it, and one run against another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import LENIENT, Ended, edgekit_here
from tests.conftest import Command
from tests.networks import TOML, write_project

REPEATS = 0.001
"""Two runs count the same to 0.1 %: of 160,000 instructions, the wrapper's memory moves a few dozen, now and then."""
INSTALL = """
for name in numpy onnxruntime; do
  ln -s /opt/edgekit/runtimes/*/lib/python3.11/$name* /usr/lib/python3/dist-packages
done
"""
"""Gives the board's own Python what only the pack's had."""
emulated = pytest.mark.usefixtures("emulation")


DIGITS = ("--example", "digits", "--target", "jetson", "--backend", "onnx", "--samples", 32, *LENIENT)
"""A 16th of the samples that a run takes by itself, and gates for so few: the other run here has all of both."""


@pytest.fixture(scope="module")
def first(places: dict[str, str], emulation: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Digits on a Jetson: the folder and the report of the run."""
    out = tmp_path_factory.mktemp("first")
    return out, passed(edgekit_here("run", *DIGITS, "--device", "emulated", "--json", "--out", out, env=places))


def passed(ended: Ended) -> Any:
    """The report of a run that passed."""
    assert ended.code == 0, ended.err + ended.out
    (report,) = ended.document["reports"]
    assert report["verdict"] == "passed"
    return report


def gate(report: Any, name: str) -> tuple[str, str]:
    (found,) = (gate for gate in report["gates"] if gate["name"] == name)
    return found["outcome"], found["meaning"]


def check(report: Any, runtime: str, samples: int) -> None:
    environment = report["candidate"]["environment"]
    assert (environment["machine"], environment["cpu"], environment["runtime"]) == ("aarch64", "cortex-a76", runtime)
    assert report["host_parity"]["same_answers"] == 1.0
    assert report["sampling"].items() >= {"taken": samples, "total": 899, "stratified": True}.items()
    assert report["candidate"]["peak_rss_bytes"] > 10e6
    assert report["candidate"]["latency_ns"]["count"] == 0
    assert report["device"] == f"emulated://{report['target']}"


@emulated
def test_digits_pass_by_the_gates_that_are_there_without_a_word(command: Command, tmp_path: Path) -> None:
    """On two families: this one, and that of the next test. On Android, see `tests/projects/test_emulated`."""
    argv = ("--example", "digits", "--target", "raspberry-pi", "--backend", "executorch", "--device", "emulated")
    report = passed(command("run", *argv, "--json", "--out", tmp_path / "out"))
    check(report, "executorch 1.5.1", 500)
    assert not any("no cortex" in warning for warning in report.get("warnings", ()))


@emulated
def test_digits_pass_on_a_core_that_stands_in_for_the_boards(first: tuple[Path, Any]) -> None:
    report = first[1]
    check(report, "onnxruntime 1.31.1", 32)
    assert any("no cortex-a78ae" in warning for warning in report["warnings"])
    assert gate(report, "instructions_ratio")[0] == "not measurable"


@emulated
def test_a_device_that_is_up_counts_as_a_fresh_one_and_keeps_what_it_was_given(
    command: Command, first: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The baseline of its run is the first run's report with half of the instructions: that fails, and goes back."""
    out, before = first
    bundle = next(out.glob("*.edgekit"))
    earlier = json.loads((out / "report.json").read_text())
    earlier["candidate"]["instructions"] //= 2
    (tmp_path / "report.json").write_text(json.dumps(earlier))
    monkeypatch.setenv("EDGEKIT_DATA", str(tmp_path / "data"))
    assert command("device", "up", "bench", "--target", "jetson").code == 0
    try:
        argv = ("run", *DIGITS, "--device", "emulated://bench", "--baseline", tmp_path, "--json")
        ended = command(*argv, "--out", tmp_path / "out")
        assert ended.code == 1, ended.err
        (report,) = ended.document["reports"]
        assert report["baseline_instructions"] == earlier["candidate"]["instructions"]
        assert report["candidate"]["instructions"] == pytest.approx(before["candidate"]["instructions"], rel=REPEATS)
        outcome, meaning = gate(report, "instructions_ratio")
        assert outcome == "failed"
        assert "2 times" in meaning

        flashed = command("flash", bundle, "--device", "emulated://bench", "--json")
        assert json.loads(flashed.out)["state"] == "committed", flashed.err
        again = command("flash", bundle, "--device", "emulated://bench", "--json")
        assert json.loads(again.out)["state"] == "committed before", again.err

        missing = command("flash", bundle, "--device", "emulated://bench", "--runtime", "system")
        assert "onnxruntime==1.31.1" in missing.refused("EK410", 3)
        assert command("device", "shell", "bench", "sh", "-c", INSTALL).code == 0
        own = command("flash", bundle, "--device", "emulated://bench", "--runtime", "system", "--json")
        assert json.loads(own.out)["state"] == "committed before", own.err
    finally:
        assert command("device", "down", "bench").code == 0


def test_a_baseline_that_is_not_there_is_told_before_anything_is_done(command: Command, tmp_path: Path) -> None:
    project = write_project(tmp_path / "project")
    argv = ("run", "--project", project, "--target", "host", "--backend", "onnx", "--out", tmp_path / "out")
    refusal = command(*argv, "--baseline", tmp_path / "gone").refused("EK101", 2)
    assert "there is no baseline" in refusal
    assert "--baseline DIR" in refusal
    assert not (tmp_path / "out").exists()


def test_a_project_names_its_baseline_relative_to_itself(command: Command, tmp_path: Path) -> None:
    toml = TOML + '\n[reference]\nbaseline = "kept/main.json"\n'
    project = write_project(tmp_path / "project", toml=toml)
    (project / "kept").mkdir()
    (project / "kept" / "main.json").write_text("{}")
    argv = ("run", "--project", project, "--target", "host", "--backend", "onnx", "--out", tmp_path / "out")
    refusal = command(*argv).refused("EK101", 2)
    assert "main.json' is not a report" in refusal
