"""Devices by name and in groups, and what is asked of them: what they serve, what happened, and a way back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.api.bundles import open_bundle
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


def test_every_device_is_listed_with_what_it_serves_by_name(command: Command, built: Built, named: Path) -> None:
    command("flash", built.bundle, "--device", "one")
    command("flash", built.bundle, "--device", "two", "--no-commit")
    (named / "three").write_text("no folder")
    for asked in (("--group", "lab"), ("--device", "one", "--device", "two", "--device", "three")):
        ended = command("status", *asked)
        lines = [line.split() for line in ended.out.splitlines()[1:]]
        assert (ended.code, [line[0] for line in lines]) == (1, ["one", "two", "three"])
        digest = f"({open_bundle(built.bundle).digest[:12]})"
        assert lines[0][1:] == ["small", "0", digest, "whole"]
        assert lines[1][1:] == ["nothing", "small", "0", f"{digest},", "trial", "whole"]
        assert lines[2][1].startswith("EK")
    listed = command("status", "--json")
    assert [(each["device"], each["error"] is None) for each in listed.document["devices"]][:3] == [
        ("one", True),
        ("two", True),
        ("three", False),
    ]
    history = command("history", "--group", "lab", "--json").document["devices"]
    assert [event["verdict"] for event in history[1]["history"]] == ["staged", "trial"]
    assert {event["name"] for event in history[0]["history"]} == {"small"}
    assert "small 0" in command("history", "--device", "one").out
    command("status", "--group", "attic").refused("EK102", 2)


def test_what_is_on_trial_is_listed_and_committed_by_hand(command: Command, built: Built, named: Path) -> None:
    for name in ("one", "two"):
        command("flash", built.bundle, "--device", name, "--no-commit")
    listed = command("commit")
    assert listed.code == 0
    assert [line.split()[:2] for line in listed.out.splitlines()[1:3]] == [["one", "small"], ["two", "small"]]
    assert "nothing was changed" in listed.err
    assert command("commit", "--device", "one").out.startswith("one serves small 0 (")
    ended = command("commit", "--group", "lab", "--json")
    assert [(each["served"] or {}).get("state") for each in ended.document["devices"]] == [None, "committed", None]
    assert ended.code == 1
    assert "nothing is on trial" in command("commit", "--device", "one").refused("EK402", 3)


def test_a_good_model_that_a_person_rolled_back_has_not_failed(command: Command, built: Built, named: Path) -> None:
    command("flash", built.bundle, "--device", "one", "--no-commit")
    would = {each["device"]: each for each in command("rollback", "--json").document["devices"]}
    assert would["one"]["would_leave"]["name"] == "small"
    assert would["two"]["would_leave"] is None
    ended = command("rollback", "--device", "one")
    assert re.fullmatch(r"one has left small 0 \([0-9a-f]{12}\), on trial, and serves nothing\n", ended.out)
    status = command("status", "--device", "one", "--json").document
    assert status["slots"]["a"]["state"] == "rolled back"
    assert "rolled back" in command("status", "--device", "one").out
    assert "by: hand" in command("history", "--device", "one").out
    assert command("flash", built.bundle, "--device", "one").code == 0
    status = command("status", "--device", "one", "--json").document
    assert status["slots"][status["current"]]["state"] == "committed"
