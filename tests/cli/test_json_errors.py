"""`--json` of every command: what it could not do is one document with code, message and hint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit.cli.app import HELP, load
from edgekit.errors import EdgekitError, all_errors
from tests.command_line import edgekit_here

STREAMS = {"device shell", "device logs"}
"""Commands whose output is another program's."""
TARGET = ("--project", "nowhere", "--target", "host")
DEVICE = ("--device", "telnet://nobody")
WRONG = {
    "init": ("nowhere",),
    "build": TARGET,
    "run": TARGET,
    "plan": TARGET,
    "flash": ("no.edgekit", *DEVICE),
    "status": DEVICE,
    "history": DEVICE,
    "commit": DEVICE,
    "rollback": DEVICE,
    "monitor": DEVICE,
    "probe": DEVICE,
    "predict": ("no.edgekit", "no.jpg"),
    "compare": ("no", "none"),
    "report": ("nowhere",),
    "inspect": ("no.edgekit",),
    "export": ("no.edgekit",),
    "atlas": ("nowhere",),
    "evidence": ("no.edgekit", "--out", "out"),
    "verify-source": ("no.pt", "--oms", "no.sig", "--key", "no.pem"),
    "diagnose": TARGET,
    "ablate": TARGET,
    "explain": ("EK999",),
    "doctor": ("--bogus",),
    "cache show": ("--bogus",),
    "cache clean": ("--older-than", "-1"),
    "targets show": ("nothing",),
    "profiles show": ("nothing",),
    "keys new": ("a/b",),
    "keys add": ("token", "nothing"),
    "keys list": ("--bogus",),
    "keys sign": ("no.edgekit",),
    "keys trust": ("no.pub",),
    "keys revoke": ("nobody",),
    "device add": ("kitchen", "telnet://nobody"),
    "device remove": ("nobody",),
    "device ping": ("nobody",),
    "device serve": ("nobody",),
    "device up": ("--target", "nothing"),
    "device down": ("nobody",),
    "device list": ("--bogus",),
    "device trust": ("nobody",),
    "device repair": ("nobody",),
    "runtime build": ("nothing",),
    "reference serve": ("no.edgekit",),
}
"""Words after each command that it cannot do anything with."""


def leaves(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
    else:
        for word, each in below.items():
            yield from leaves(each, f"{name} {word}")


COMMANDS = dict(pair for name in HELP for pair in leaves(load(name), name))


def test_every_command_takes_json_and_is_tried() -> None:
    taking = {name for name, each in COMMANDS.items() if any("--json" in option.opts for option in each.params)}
    assert taking == COMMANDS.keys() - STREAMS == WRONG.keys()


@pytest.mark.parametrize("name", WRONG)
def test_an_error_is_one_document_with_code_message_and_hint(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {f"EDGEKIT_{each}": str(tmp_path / each) for each in ("CACHE", "CONFIG", "DATA", "DOWNLOADS")}
    ended = edgekit_here(*name.split(), *WRONG[name], "--json", env=places)
    assert ended.code in (2, 3), ended.stderr
    assert set(ended.document) == {"error"}
    error = ended.document["error"]
    assert set(error) == {"code", "message", "hint"}
    assert error["code"] in {each.code for each in all_errors()} - {EdgekitError.code}
    assert error["message"]
    assert error["hint"]
    assert f"error {error['code']}: " in ended.stderr or "Error" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert json.loads(ended.out) == ended.document
