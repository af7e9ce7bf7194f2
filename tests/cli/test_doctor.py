"""`doctor`: what is here, what is missing, and what to type."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from edgekit.pipeline import checkup
from tests.conftest import Command


def test_what_is_there_and_what_to_type_is_said(
    command: Command, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, words in {"qemu-system-aarch64": "QEMU emulator version 7.2.1", "ssh": "OpenSSH_9.9"}.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho '{words}'\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path / "config"))
    monkeypatch.chdir(small)
    ended = command("doctor")
    assert ended.code == 0, ended.err
    rows = {line.split("  ")[0].strip(): line for line in ended.out.splitlines()}
    assert "7.2.1 is older than 10.0" in rows["QEMU"]
    assert "apt-get install" in rows["QEMU"]
    assert "OpenSSH_9.9" in rows["ssh"]
    assert "apt-get install adb" in rows["adb"]
    assert "edgekit device add NAME" in rows["devices"]
    assert "the first build makes 'default'" in rows["keys"]
    assert "edgekit build --target host" in rows["project"]
    assert rows["builds can run here"]
    assert not (tmp_path / "config").exists()


def test_a_missing_package_a_device_that_is_gone_and_a_folder_without_a_project_are_told(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(checkup, "COMPILER", ("torch", "no-such-package"))
    monkeypatch.chdir(tmp_path)
    assert command("device", "add", "gone", "ssh://nobody@127.0.0.1:1").code == 0
    ended = command("doctor", "--devices", "--json")
    assert ended.code == 1
    findings = {each["name"]: each for each in ended.document["findings"]}
    assert findings["no-such-package"]["state"] == "missing"
    assert findings["torch"]["state"] == "ok"
    assert "EK4" in findings["gone"]["text"]
    assert findings["gone"]["command"]
    assert findings["project"]["command"] == "edgekit init"
