"""A shell completes values: names that are known on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgekit.cli import completion
from edgekit.cli.app import HELP, load
from edgekit.devices.inventory import Book
from tests.command_line import environment
from tests.conftest import Command


def test_values_are_those_that_begin_so(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "raspberry-pi-5" in completion.targets("rasp")
    assert "jetson" in completion.targets("j")
    assert completion.targets("al") == ["all"]
    assert completion.profiles("host-int8") == ["host-int8"]
    assert completion.families("rasp") == ["raspberry-pi"]
    assert completion.backends("") == ["executorch", "onnx", "tflite"]
    assert completion.error_codes("EK60") == ["EK600", "EK601", "EK602", "EK603", "EK604", "EK605"]
    assert completion.examples("") == ["digits", "stories"]
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets/rasptoy.toml").write_text('family = "toys"\n')
    monkeypatch.chdir(tmp_path)
    assert "rasptoy" in completion.targets("raspt")


def test_devices_and_groups_are_the_users(command: Command, tmp_path: Path) -> None:
    try:
        command("device", "add", "kitchen", "ssh://pi@kitchen", "--group", "lab")
        assert completion.devices("kit") == ["kitchen"]
        assert completion.devices("ss") == ["ssh://"]
        assert completion.device_groups("l") == ["lab"]
        Book.of_user().path.write_text("this is [no TOML")
        assert completion.devices("") == completion.device_groups("") == []
    finally:
        Book.of_user().path.unlink()


def test_every_option_that_takes_a_name_completes_it() -> None:
    def params(command: Any) -> list[Any]:
        below = [each for inner in getattr(command, "commands", {}).values() for each in params(inner)]
        return [*command.params, *below]

    for name in HELP:
        for param in params(load(name)):
            if {"--target", "--profile", "--backend", "--device", "--group", "--family", "--example"} & {*param.opts}:
                assert param._custom_shell_complete is not None, (name, param.opts)


def test_a_shell_is_given_values() -> None:
    env = {"_EDGEKIT_COMPLETE": "complete_bash", "COMP_WORDS": "edgekit explain EK70", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "edgekit.cli"],
        env=environment(env) | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split()[:2] == ["EK700", "EK701"]
    assert done.stderr == ""
