"""Devices by name and in groups, and what is asked of them: what they serve, what happened, and a way back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.devices.inventory import Book
from tests.conftest import Built, Command


@pytest.fixture
def named(command: Command, tmp_path: Path, built: Built) -> Iterator[Path]:
    """Three devices of this machine in a group, with names, which are forgotten afterwards."""
    for name in ("one", "two", "three"):
        url = f"local://{tmp_path / name}"
        assert command("device", "add", name, url, "--group", "lab").code == 0
    yield tmp_path
    Book.of_user().path.unlink()


def test_a_name_is_as_good_as_a_url(command: Command, built: Built, named: Path) -> None:
    ended = command("flash", built.bundle, "--device", "one")
    assert ended.out.startswith("small for host: committed on one (")
    listed = command("device", "list", "--json").document["named"]
    assert [(entry["name"], entry["groups"]) for entry in listed] == [(n, ["lab"]) for n in ("one", "two", "three")]


def test_a_group_is_flashed_in_waves_and_reported_device_by_device(command: Command, built: Built, named: Path) -> None:
    (named / "three").write_text("no folder")
    ended = command("flash", built.bundle, "--group", "lab", "--wave", "1", "--json")
    found = ended.document["devices"]
    assert [device["state"] for device in found] == ["committed", "committed", "failed"]
    assert found[2]["error"]["code"].startswith("EK")
    assert ended.code == 1


def test_a_device_is_asked_what_it_has_what_happened_and_goes_back(command: Command, built: Built, named: Path) -> None:
    command("flash", built.bundle, "--device", "one")
    status = command("status", "--device", "one", "--json").document
    assert status["slots"][status["current"]]["state"] == "committed"
    assert "(served)" in command("status", "--device", "one").out
    history = command("history", "--device", "one", "--json").document["history"]
    assert [event["verdict"] for event in history][-1] == "committed"
    command("rollback", "--device", "one").refused("EK402", 3)
    pong = command("device", "ping", "one", "--json").document
    assert pong["served"]["digest"] == status["slots"][status["current"]]["digest"]


def test_a_trial_is_dropped_by_going_back(command: Command, built: Built, named: Path) -> None:
    command("flash", built.bundle, "--device", "two", "--no-commit")
    ended = command("rollback", "--device", "two")
    assert (ended.code, "serves nothing" in ended.out) == (0, True)


def test_a_name_that_is_forgotten_is_no_device(command: Command, built: Built, named: Path) -> None:
    assert command("device", "remove", "one").code == 0
    said = command("flash", built.bundle, "--device", "onee").refused("EK104", 2)
    assert "is no device" in said
    command("device", "remove", "one").refused("EK102", 2)


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("device", "add", "x", "nowhere"), "EK104"),
        (("device", "add", "x", "far://x"), "EK102"),
        (("device", "add", "x", "local://", "--target", "raspberry-pie"), "EK102"),
        (("flash", "BUNDLE", "--group", "attic"), "EK102"),
        (("flash", "BUNDLE"), "EK104"),
        (("flash", "BUNDLE", "--device", "local://", "--wave", "none"), "EK104"),
    ],
)
def test_what_makes_no_sense_is_refused(command: Command, built: Built, argv: tuple[str, ...], code: str) -> None:
    command(*(built.bundle if part == "BUNDLE" else part for part in argv)).refused(code, 2)
