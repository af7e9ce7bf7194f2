from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.cache import Cache
from edgekit.devices.emulation import locked_folder, machine, qmp, registry
from edgekit.devices.emulation.board import EmulatedBoard
from edgekit.devices.emulation.image import Image, find_image
from edgekit.devices.emulation.tools import Tools, find_tools
from edgekit.errors import BootFailed, DeviceBusy, ImageDamaged, OptionError, PortTaken, UnknownName
from edgekit.specs.catalog import Catalog

PI = Catalog.default().target("raspberry-pi-5")
SOON_S = 120
# Starts a device, says so, and waits to be killed.
MAKER = """
import sys, time
from edgekit.cache import Cache
from edgekit.devices.emulation import registry
from edgekit.specs.catalog import Catalog
with registry.started(Catalog.default().target("raspberry-pi-5"), Cache.of_downloads()):
    print("started", flush=True)
    time.sleep(600)
"""
pytestmark = pytest.mark.usefixtures("emulation")


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place of its own for devices, of which no emulator is left at the end."""
    monkeypatch.setenv("EDGEKIT_DATA", str(tmp_path))
    yield tmp_path
    assert soon(lambda: not emulators(tmp_path))  # a guard that removed its folder is still to end


def emulators(place: Path) -> list[int]:
    """Every process that was started with a path in that folder."""
    names_there = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            argv = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(place).encode() in argv and int(process.name) != os.getpid():
            names_there.append(int(process.name))
    return names_there


def soon(condition: object) -> bool:
    deadline = time.monotonic() + SOON_S
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


def test_a_device_that_is_up_stays_until_it_is_down(own_data: Path) -> None:
    card = registry.up("here", PI, Cache.of_downloads())
    assert [(other.name, other.state) for other in registry.cards()] == [("here", "up")]
    assert (card.cpu, card.ram_mb, card.transport) == ("cortex-a76", 1024, "ssh")
    with socket.create_connection(("127.0.0.1", card.ssh), timeout=20) as connection:
        assert connection.recv(4) == b"SSH-"
    with pytest.raises(DeviceBusy, match="'here' is there already"):
        registry.up("here", PI, Cache.of_downloads())
    registry.down("here")
    assert registry.cards() == []
    assert not card.folder.exists()


def test_several_are_up_at_once_each_with_ports_of_its_own(own_data: Path) -> None:
    cards = [registry.up(name, PI, Cache.of_downloads()) for name in ("one", "two")]
    assert len({port for card in cards for port in (card.ssh, card.adb)}) == 4
    for card in cards:
        registry.down(card.name)


def test_what_a_run_started_is_nobody_elses_to_end(own_data: Path) -> None:
    with registry.started(PI, Cache.of_downloads()) as (_, card):
        assert card.state == "in use"
        with pytest.raises(DeviceBusy, match="belongs to an edgekit that runs"):
            registry.down(card.name)
    assert not card.folder.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_of_a_device_whose_maker_dies(own_data: Path, number: int) -> None:
    with subprocess.Popen([sys.executable, "-c", MAKER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as maker:
        assert maker.stdout is not None
        assert maker.stdout.readline() == b"started\n"
        assert emulators(own_data)
        maker.send_signal(number)
    assert soon(lambda: not emulators(own_data))
    assert soon(lambda: not list(registry.devices_folder().iterdir()))


def test_a_device_whose_guard_was_killed_is_swept_by_the_next_one(own_data: Path) -> None:
    card = registry.up("orphan", PI, Cache.of_downloads())
    assert card.guard
    os.kill(card.guard, signal.SIGKILL)
    assert soon(lambda: not emulators(own_data))
    assert [left.state for left in registry.cards()] == ["ended"]
    with registry.started(PI, Cache.of_downloads()):
        assert not card.folder.exists()


def test_the_console_of_a_device_can_be_read_after_it_ended(own_data: Path) -> None:
    with registry.started(PI, Cache.of_downloads()) as (started, card):
        started.cut_power()
        started.boot()
        started.qmp.ask("quit")
        assert soon(lambda: not emulators(own_data))
        assert "edgekit: up" in registry.console(card.name)


def test_a_port_that_is_taken_is_said(own_data: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port}"):
            registry.up("late", PI, Cache.of_downloads(), port)
    assert registry.cards() == []


@pytest.mark.parametrize("name", ["a/b", "..", "x.y", "\n", ""])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="cannot be a device's name"):
        registry.up(name, PI, Cache.of_downloads())


def test_a_device_that_is_not_there_is_named_with_the_nearest(own_data: Path) -> None:
    registry.up("kitchen", PI, Cache.of_downloads())
    with pytest.raises(UnknownName, match="'kitchn'") as missing:
        registry.down("kitchn")
    assert missing.value.hint == "did you mean 'kitchen'?"
    registry.down("kitchen")


def test_a_target_that_is_not_emulated_says_so() -> None:
    host = Catalog.default().target("host")
    with pytest.raises(OptionError, match="cannot be emulated"), registry.started(host, Cache.of_downloads()):
        pass


def test_a_disk_that_is_no_disk_is_said(tmp_path: Path) -> None:
    cache = Cache.of_downloads()
    tools = find_tools(cache)
    setup = machine.EmulationSetup(tools, find_image(tools, cache), EmulatedBoard.of(PI))
    for name in ("disk", "small"):
        (tmp_path / f"{name}.qcow2").write_bytes(b"QFI\xfb" + b"no disk" * 999)
    with pytest.raises(ImageDamaged, match="is no disk"):
        machine.make(setup, tmp_path / "machine", tmp_path)
    assert not (tmp_path / "machine").exists()


def test_who_only_looks_at_a_folder_keeps_nobody_from_claiming_it(tmp_path: Path) -> None:
    locked_folder.claimed(tmp_path / "new").close()
    look = locked_folder._locked(tmp_path / "new", "r+b")
    over = threading.Timer(0.3, look.close)
    over.start()
    locked_folder.claimed(tmp_path / "new").close()
    over.join()


def test_what_a_guard_left_that_was_killed_while_it_removed_its_folder_is_swept(tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half/disk.qcow2").touch()
    locked_folder.sweep(tmp_path / "half")
    assert not (tmp_path / "half").exists()


def test_an_emulator_that_runs_and_does_not_answer_is_ended(
    own_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qmp, "ANSWER_S", 0.5)
    monkeypatch.setattr("edgekit.devices.emulation.qemu.command", lambda *_: ["/bin/sleep", "1000"])
    tools = Tools(("false",), ("true",), "10.0.0")
    setup = machine.EmulationSetup(tools, Image(tmp_path), EmulatedBoard.of(PI))
    mute = machine.make(setup, own_data / "mute", tmp_path)
    with pytest.raises(BootFailed, match=r"'mute' did not start: .*does not answer"):
        mute.boot()
    mute.end()
    assert not (own_data / "mute").exists()
