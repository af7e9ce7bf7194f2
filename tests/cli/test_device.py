from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.devices.emulation import registry
from tests.conftest import Command

pytestmark = pytest.mark.usefixtures("emulation")


@pytest.fixture
def kitchen(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An emulated device that is up, in a place of its own."""
    monkeypatch.setenv("EDGEKIT_DATA", str(tmp_path))
    ended = command("device", "up", "kitchen", "--target", "raspberry-pi-zero-2w")
    assert ended.code == 0, ended.err
    yield "kitchen"
    for card in registry.cards():
        registry.down(card.name)


def test_a_device_goes_up_is_listed_and_goes_down(command: Command, kitchen: str) -> None:
    (listed,) = json.loads(command("device", "list", "--json").out)["devices"]
    assert {name: listed[name] for name in ("name", "target", "cpu", "ram_mb", "state", "url")} == {
        "name": "kitchen", "target": "raspberry-pi-zero-2w", "cpu": "cortex-a53", "ram_mb": 512, "state": "up",
        "url": "emulated://kitchen",
    }  # fmt: skip
    assert "kitchen" in command("device", "list").out
    assert command("device", "down", kitchen).out == "emulated://kitchen is down\n"
    assert json.loads(command("device", "list", "--json").out)["devices"] == []


def test_a_command_runs_in_its_shell_and_gives_its_exit_code(kitchen: str) -> None:
    script = "echo $((6 * 7)); uname -m; exit 3"
    argv = [sys.executable, "-m", "edgekit.cli", "device", "shell", kitchen, "sh", "-c", script]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout.split()) == (3, ["42", "aarch64"]), ended.stderr


def test_the_console_of_a_device_that_is_up_can_be_read(command: Command, kitchen: str) -> None:
    assert command("device", "logs", kitchen).code == 0


def test_a_name_that_is_taken_is_said(command: Command, kitchen: str) -> None:
    ended = command("device", "up", kitchen, "--target", "raspberry-pi-5")
    assert (ended.code, ended.out) == (3, "")
    assert "EK405" in ended.err
    assert "edgekit device list" in ended.err


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (("up", "raspberry-pi-6"), 2, "EK102"),
        (("up", "host"), 2, "EK104"),
        (("up", "a/b", "--target", "raspberry-pi-5"), 2, "EK104"),
        (("down", "nobody"), 2, "EK102"),
        (("down",), 2, "EK104"),
        (("down", "nobody", "--all"), 2, "EK104"),
        (("shell", "nobody"), 2, "EK102"),
        (("logs", "nobody"), 2, "EK102"),
    ],
)
def test_what_cannot_be_done_is_said(command: Command, argv: tuple[str, ...], code: int, said: str) -> None:
    ended = command("device", *argv)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert "hint:" in ended.err
