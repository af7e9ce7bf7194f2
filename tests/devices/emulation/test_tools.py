from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.cache import Cache
from edgekit.devices.emulation.tools import find_tools
from edgekit.errors import ToolsMissing


def program(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that programs are looked for in, and empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_without_qemu_and_without_apt_it_says_what_to_install(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolsMissing, match=r"qemu-system-aarch64 is not here.*there is no 'apt-get'") as missing:
        find_tools(Cache(tmp_path / "cache"))
    assert missing.value.code == "EK601"
    assert missing.value.hint
    assert missing.value.hint.startswith("apt-get install")


def test_an_old_qemu_is_not_taken(path: Path, tmp_path: Path) -> None:
    program(path / "qemu-system-aarch64", "echo QEMU emulator version 7.2.15")
    program(path / "qemu-img", "true")
    with pytest.raises(ToolsMissing, match=r"is 7\.2\.15, which is too old"):
        find_tools(Cache(tmp_path / "cache"))


def test_a_new_enough_qemu_of_this_machine_is_taken(path: Path, tmp_path: Path) -> None:
    program(path / "qemu-system-aarch64", "echo QEMU emulator version 10.1.0")
    program(path / "qemu-img", "true")
    tools = find_tools(Cache(tmp_path / "cache"))
    assert (tools.qemu, tools.version) == ((str(path / "qemu-system-aarch64"),), "10.1.0")


def test_a_mirror_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_DEBIAN", (tmp_path / "debian").as_uri())
    program(tmp_path / "bin/qemu-system-aarch64", "echo QEMU emulator version 7.2.15")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin:/usr/sbin:/sbin")
    with pytest.raises(ToolsMissing, match="could not be fetched: 'apt-get' failed"):
        find_tools(Cache(tmp_path / "cache"))
    assert not list((tmp_path / "cache").rglob("*.deb"))
