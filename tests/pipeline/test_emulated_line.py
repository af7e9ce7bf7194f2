"""The whole line on emulated devices, as a user types it, and one run against another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import LENIENT, edgekit_here
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


@pytest.fixture(scope="module")
def first(small: Path, places: dict[str, str], emulation: None, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The small project on a Raspberry Pi 5: its options, its folder and its report."""
    out = tmp_path_factory.mktemp("first")
    options = ("--project", small, "--target", "raspberry-pi-5", "--backend", "onnx", *LENIENT)
    ended = edgekit_here("run", *options, "--device", "emulated", "--json", "--out", out, env=places)
    assert ended.code == 0, ended.err + ended.out
    return options, out, ended.document["reports"][0]


def gate(report: Any, name: str) -> tuple[str, str]:
    (found,) = (gate for gate in report["gates"] if gate["name"] == name)
    return found["outcome"], found["meaning"]


@emulated
@pytest.mark.parametrize(
    ("target", "backend", "runtime", "cpu"),
    [
        ("raspberry-pi", "executorch", "executorch 1.5.1", "cortex-a76"),
        ("jetson", "onnx", "onnxruntime 1.31.1", "cortex-a76"),
    ],
)
def test_digits_pass_by_the_gates_that_are_there_without_a_word(
    command: Command, tmp_path: Path, target: str, backend: str, runtime: str, cpu: str
) -> None:
    """On two families. On Android, trained networks are judged in `tests/projects/test_emulated`."""
    argv = ("--example", "digits", "--target", target, "--backend", backend)
    ended = command("run", *argv, "--device", "emulated", "--json", "--out", tmp_path / "out")
    assert ended.code == 0, ended.err + ended.out
    (report,) = ended.document["reports"]
    assert report["verdict"] == "passed"
    environment = report["candidate"]["environment"]
    assert (environment["machine"], environment["cpu"], environment["runtime"]) == ("aarch64", cpu, runtime)
    assert report["host_parity"]["same_answers"] == 1.0
    assert report["sampling"].items() >= {"taken": 500, "total": 899, "stratified": True}.items()
    assert report["candidate"]["peak_rss_bytes"] > 10e6
    assert report["candidate"]["latency_ns"]["count"] == 0
    assert report["device"] == f"emulated://{report['target']}"
    stand_in = target == "jetson"
    assert any("no cortex-a78ae" in warning for warning in report.get("warnings", ())) is stand_in


@emulated
def test_two_runs_count_the_same_and_more_than_the_baseline_fails_the_second(
    command: Command, first: Any, tmp_path: Path
) -> None:
    """One run for both: its baseline is the first run's report with half of the instructions."""
    options, out, before = first
    assert gate(before, "instructions_ratio")[0] == "not measurable"
    earlier = json.loads((out / "report.json").read_text())
    earlier["candidate"]["instructions"] //= 2
    (tmp_path / "report.json").write_text(json.dumps(earlier))
    argv = ("run", *options, "--device", "emulated", "--json", "--baseline", tmp_path)
    ended = command(*argv, "--out", tmp_path / "out")
    assert ended.code == 1, ended.err
    (report,) = ended.document["reports"]
    assert report["baseline_instructions"] == earlier["candidate"]["instructions"]
    assert report["candidate"]["instructions"] == pytest.approx(before["candidate"]["instructions"], rel=REPEATS)
    outcome, meaning = gate(report, "instructions_ratio")
    assert outcome == "failed"
    assert "2 times" in meaning


@emulated
def test_a_device_that_is_up_keeps_what_it_was_given(
    command: Command, first: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, out, _ = first
    bundle = next(out.glob("*.edgekit"))
    monkeypatch.setenv("EDGEKIT_DATA", str(tmp_path / "data"))
    assert command("device", "up", "bench", "--target", "raspberry-pi-5").code == 0
    try:
        flashed = command("flash", bundle, "--device", "emulated://bench", "--json")
        assert json.loads(flashed.out)["state"] == "committed", flashed.err
        again = command("flash", bundle, "--device", "emulated://bench", "--json")
        assert json.loads(again.out)["state"] == "committed before", again.err
        project = ("--project", options[1], "--samples", 20)
        probed = command("probe", *project, "--device", "emulated://bench", "--json")
        measurement = json.loads(probed.out)["measurement"]
        assert measurement["instructions"] > 1000
        assert measurement["samples"] == 20

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
