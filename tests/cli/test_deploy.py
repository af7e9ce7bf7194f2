"""`flash` and `probe`: what they print, and what they refuse. What they do to a device is in tests/test_line.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.measure import store
from tests.conftest import Built, Command

QUICK = ("--min-count", 1, "--min-duration", 0)


@pytest.fixture
def device(tmp_path: Path) -> str:
    return f"local://{tmp_path / 'device'}"


def test_flashing_says_where_the_bundle_is_and_that_it_is_served(
    command: Command, built: Built, device: str, tmp_path: Path
) -> None:
    ended = command("flash", built.bundle, "--device", device)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"small for host: committed on {device} ({tmp_path}/device/a)\n"
    again = command("flash", built.bundle, "--device", device, "--json")
    assert (again.code, again.err) == (0, "")
    assert again.document["state"] == "committed before"


def test_a_trial_is_said_to_be_one(command: Command, built: Built, device: str) -> None:
    assert command("flash", built.bundle, "--device", device, "--no-commit", "--json").document["state"] == "on trial"
    assert "nothing is installed" in command("probe", "--example", "digits", "--device", device).refused("EK400", 3)


def test_a_bundle_can_be_probed_on_this_machine_without_being_flashed(
    command: Command, built: Built, small: Path, tmp_path: Path
) -> None:
    file = tmp_path / "measured.json"
    argv = ("probe", built.bundle, "--project", small, "--device", "local://", *QUICK, "--out", file, "--json")
    ended = command(*argv)
    assert (ended.code, ended.err) == (0, "")
    found = ended.document["measurement"]
    assert (found["samples"], found["host_stand_in"]) == (64, True)
    assert found["latency_count"] >= 1
    measured, before = store.load(file), store.load(built.out / "candidate")
    assert (measured.outputs["output"] == before.outputs["output"]).all()


def test_a_probe_reads_as_a_table(command: Command, built: Built, small: Path) -> None:
    ended = command("probe", built.bundle, "--project", small, "--device", "local://", *QUICK, "--samples", 4)
    rows = dict(line.split(maxsplit=1) for line in ended.out.splitlines()[1:])
    assert rows["samples"] == "4"
    assert rows["runtime"].startswith("onnxruntime ")


@pytest.mark.parametrize(
    ("device", "code", "words"),
    [
        ("pi-lab", "EK104", "'pi-lab' is no device"),
        ("locl://", "EK102", "did you mean 'local'?"),
        ("local://elsewhere/x", "EK104", "is no local device"),
    ],
)
def test_a_device_that_cannot_be_is_refused(command: Command, built: Built, device: str, code: str, words: str) -> None:
    assert words in command("flash", built.bundle, "--device", device).refused(code, 2)


@pytest.mark.parametrize(("device", "code"), [("pi-lab", "EK104"), ("locl://", "EK102"), ("local://x/y", "EK104")])
def test_a_run_refuses_such_a_device_before_it_loads_the_model(
    command: Command, project_folder: Path, tmp_path: Path, device: str, code: str
) -> None:
    (project_folder / "model.py").write_text("raise ImportError('this was loaded')")
    argv = ("run", "--project", project_folder, "--target", "host", "--device", device, "--out", tmp_path / "out")
    command(*argv).refused(code, 2)
    assert not (tmp_path / "out").exists()


def test_a_bundle_is_not_probed_where_it_was_not_flashed(command: Command, built: Built, small: Path) -> None:
    said = command("probe", built.bundle, "--project", small, "--device", "far://x").refused("EK104", 2)
    assert f"edgekit flash {built.bundle} --device far://x" in said


def test_data_that_the_bundle_does_not_take_is_refused(command: Command, built: Built) -> None:
    said = command("probe", built.bundle, "--example", "digits", "--device", "local://", *QUICK)
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith("error EK404: ")
    assert "is uint8[899, 8, 8, 1], the model takes uint8[N, 8, 8, 3]" in said.err
