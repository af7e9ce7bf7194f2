from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.devices.ssh import Ssh
from edgekit.errors import HostKeyChanged
from tests.conftest import Command
from tests.devices import sshd as real
from tests.devices.debian_programs import fetched
from tests.devices.sshd import Sshd


@pytest.fixture
def sshd(places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A device that nobody vouched for, in a configuration of its own."""
    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path / "config"))
    with real.running(
        tmp_path / "sshd", fetched(real.PACKAGES, Path(places["EDGEKIT_CACHE"]) / "downloads")
    ) as started:
        yield started


def known(device: Sshd) -> bool:
    try:
        with Ssh(device.url, identity=device.folder / "user"):
            return True
    except HostKeyChanged:
        return False


def test_a_device_is_trusted_by_its_fingerprint(command: Command, sshd: Sshd) -> None:
    assert not known(sshd)
    ended = command("device", "trust", sshd.url, "--fingerprint", sshd.host_key.fingerprint)
    assert (ended.code, sshd.host_key.fingerprint in ended.out) == (0, True), ended.err
    assert known(sshd)


def test_another_fingerprint_is_not_trusted(command: Command, sshd: Sshd) -> None:
    ended = command("device", "trust", sshd.url, "--fingerprint", "SHA256:other")
    assert (ended.code, ended.out) == (3, "")
    assert "EK407" in ended.err
    assert not known(sshd)


def test_where_nobody_can_be_asked_nothing_is_trusted(command: Command, sshd: Sshd) -> None:
    ended = command("device", "trust", sshd.url)
    assert ended.code == 2
    assert "--fingerprint" in ended.err
    assert not known(sshd)


def test_a_changed_key_is_replaced_only_when_told(command: Command, sshd: Sshd) -> None:
    command("device", "trust", sshd.url, "--fingerprint", sshd.host_key.fingerprint)
    sshd.stop()
    sshd.new_key("host")
    sshd.start()
    argv = ("device", "trust", sshd.url, "--fingerprint", sshd.host_key.fingerprint)
    ended = command(*argv)
    assert ended.code == 3
    assert "EK407" in ended.err
    assert not known(sshd)
    assert command(*argv, "--replace").code == 0
    assert known(sshd)
