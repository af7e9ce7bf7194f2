"""A fleet of two emulated boards, one reached by ssh and one by adb, from the command line as its users have it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from edgekit.devices.emulation import faults
from edgekit.devices.emulation.registry import CARD
from edgekit.specs.catalog import Catalog
from tests.command_line import LENIENT, edgekit_here
from tests.conftest import Command

BOARDS = {"kitchen": "raspberry-pi-5", "pocket": "android-arm64"}


@pytest.fixture(scope="module")
def fleet(emulation: None, places: dict[str, str]) -> Iterator[dict[str, faults.Device]]:
    """Both boards, up, with names of the user's and in one group."""
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as up:
        for name, folder in places.items():
            patch.setenv(name, folder)
        boards = {name: up.enter_context(faults.fresh(Catalog.default().target(of))) for name, of in BOARDS.items()}
        for name, board in boards.items():
            card = asdict(board.card) | {"guard": board.machine.pid}
            (board.card.folder / CARD).write_text(json.dumps(card))
            ended = edgekit_here("device", "add", name, f"emulated://{board.card.name}", "--group", "boards")
            assert ended.code == 0, ended.err
            up.callback(edgekit_here, "device", "remove", name)
        yield boards


@pytest.fixture
def bundles(small: Path, fleet: dict[str, faults.Device], tmp_path: Path) -> tuple[Path, Path]:
    """An older and a newer one."""
    made: list[Path] = []
    for profile in ("float32", "dynamic-int8"):
        options = ("--project", small, "--target", "raspberry-pi-5", "--backend", "onnx", "--profile", profile)
        ended = edgekit_here("build", *options, *LENIENT, "--out", tmp_path / profile)
        assert ended.code == 0, ended.err
        made += (tmp_path / profile).glob("*.edgekit")
    older, newer = made
    return older, newer


@pytest.mark.timeout(600)
def test_a_fleet_is_flashed_canary_first_and_one_board_goes_back(
    command: Command, fleet: dict[str, faults.Device], bundles: tuple[Path, Path]
) -> None:
    for bundle in bundles:
        ended = command("flash", bundle, "--group", "boards", "--canary", 1, "--wave", "100%", "--json")
        assert ended.code == 0, ended.err
        done = [(one["device"], one["wave"], one["state"]) for one in ended.document["devices"]]
        assert done == [("kitchen", 1, "committed"), ("pocket", 2, "committed")]
    served = {name: command("status", "--device", name, "--json").document for name in fleet}
    assert [said["current"] for said in served.values()] == ["b", "b"]

    fleet["kitchen"].cut_power()
    ended = command("flash", bundles[0], "--group", "boards", "--canary", 1, "--wave", "100%", "--json")
    assert ended.code == 3
    assert [one["state"] for one in ended.document["devices"]] == ["failed", "not reached"]

    assert command("rollback", "--device", "pocket").code == 0
    history = command("history", "--device", "pocket", "--json").document["history"]
    assert [event["verdict"] for event in history] == [*["staged", "trial", "committed"] * 2, "rolled back"]
    assert command("status", "--device", "pocket", "--json").document["current"] == "a"
