"""`flash`: what it prints, and what it refuses. What it does to a device is in tests/pipeline/test_line.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Built, Command


@pytest.fixture
def device(tmp_path: Path) -> str:
    return f"local://{tmp_path / 'device'}"


def test_flashing_says_where_the_bundle_is_and_that_it_is_served(
    command: Command, built: Built, device: str, tmp_path: Path
) -> None:
    ended = command("flash", built.bundle, "--device", device)
    assert ended.code == 0
    assert ended.err.startswith(f"{device}: it trusted nobody yet: from now on it takes what ed25519:")
    assert ended.out == f"small for host: committed on {device} ({tmp_path}/device/a)\n"
    again = command("flash", built.bundle, "--device", device, "--json")
    assert (again.code, again.err) == (0, "")
    assert again.document["state"] == "committed before"


def test_a_trial_is_said_to_be_one(command: Command, built: Built, device: str) -> None:
    assert command("flash", built.bundle, "--device", device, "--no-commit", "--json").document["state"] == "on trial"
    assert "nothing is installed" in command("probe", "--example", "digits", "--device", device).refused("EK400", 3)


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
    (project_folder / "model.py").write_text("raise ImportError('this was loaded')\nnet = None")
    argv = ("run", "--project", project_folder, "--target", "host", "--device", device, "--out", tmp_path / "out")
    command(*argv).refused(code, 2)
    assert not (tmp_path / "out").exists()
