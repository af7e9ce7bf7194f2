"""Names that nothing has are told with the nearest, also where no project is; families are checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Command


@pytest.mark.parametrize("name", ["build", "run", "plan", "ablate", "diagnose"])
@pytest.mark.parametrize(
    ("options", "near"),
    [
        (("--target", "raspbery-pi"), "raspberry-pi"),
        (("--target", "host", "--backend", "onx"), "onnx"),
        (("--target", "host", "--profile", "host-in8"), "host-int8"),
    ],
    ids=["target", "backend", "profile"],
)
def test_a_typing_error_is_told_outside_a_project_too(
    command: Command, tmp_path: Path, name: str, options: tuple[str, ...], near: str
) -> None:
    said = command(name, "--project", tmp_path, *options).refused("EK102", 2)
    assert f"hint: did you mean '{near}'?" in said
    assert "and no 'edgekit.toml' in" in said


def test_without_a_typing_error_the_project_is_what_is_missing(command: Command, tmp_path: Path) -> None:
    command("plan", "--project", tmp_path, "--target", "host", "--profile", "host-int8").refused("EK101", 2)


@pytest.mark.parametrize("name", ["targets", "profiles"])
def test_a_family_that_nothing_is_of_is_refused(command: Command, name: str) -> None:
    assert "did you mean 'jetson'?" in command(name, "--family", "jetsn").refused("EK102", 2)
    assert "one of android" in command(name, "--family", "zx81").refused("EK102", 2)
