"""What goes wrong with devices in the field, and what must hold then."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from edgekit.devices import process, shell
from edgekit.devices.emulation.faults import Device
from edgekit.devices.transport import Transport
from edgekit.errors import ConnectionLost, StorageError, Unreachable

LIMIT_S = 180.0


@pytest.fixture
def payload(tmp_path: Path) -> Callable[[str, int], Path]:
    """A file of so many MB, whose content follows from its name."""

    def write(name: str, megabytes: int) -> Path:
        path = tmp_path / name
        path.write_bytes(hashlib.shake_128(name.encode()).digest(megabytes << 20))
        return path

    return write


def digest(transport: Transport, path: PurePosixPath) -> str:
    return transport.run(["sha256sum", str(path)], timeout=LIMIT_S).stdout.split()[0]


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("device", "part", "ram_mb"),
    [("raspberry-pi-5", "0xd0b", 1024), ("android-arm64", "0xd03", 816)],
    indirect=["device"],
)
def test_a_device_has_the_core_and_the_memory_of_its_target(device: Device, part: str, ram_mb: int) -> None:
    with device.connected() as transport:
        assert transport.kind == "emulated"
        assert transport.run(["uname", "-m"], timeout=LIMIT_S).stdout == "aarch64\n"
        assert part in transport.run(["cat", "/proc/cpuinfo"], timeout=LIMIT_S).stdout
        memory = transport.run(["cat", "/proc/meminfo"], timeout=LIMIT_S).stdout.split()
        assert 0.88 * ram_mb < int(memory[1]) / 1024 < ram_mb


@pytest.mark.parametrize("device", ["pixel-8"], indirect=True)
def test_an_android_device_is_reached_by_adb(device: Device, payload: Callable[[str, int], Path]) -> None:
    old = payload("old", 1)
    with device.connected() as transport:
        assert transport.url.startswith("adb://")
        transport.push(old, transport.root / "model")
        assert digest(transport, transport.root / "model") == sha(old)
        parents = transport.run(["sh", "-c", "cat /proc/$PPID/comm /proc/*/comm"], timeout=LIMIT_S).stdout
        assert "adbd" in parents


def test_what_was_pushed_outlives_a_power_cut_and_what_was_not_flushed_does_not(
    device: Device, payload: Callable[[str, int], Path]
) -> None:
    old = payload("old", 2)
    with device.connected() as transport:
        path = transport.root / "model"
        transport.push(old, path)
        transport.run(["sh", "-c", "echo lost >/opt/unflushed"], timeout=LIMIT_S)
    device.cut_power()
    device.boot()
    with device.connected() as transport:
        assert digest(transport, path) == sha(old)
        assert transport.run(["cat", "/opt/unflushed"], timeout=LIMIT_S).stdout != "lost\n"


def test_a_power_cut_in_the_middle_of_a_push_leaves_the_old_file(
    device: Device, payload: Callable[[str, int], Path]
) -> None:
    old, new = payload("old", 1), payload("new", 12)
    with device.connected() as transport:
        path = transport.root / "own" / "model"  # a folder in which nothing else lies
        transport.push(old, path)
        cut = threading.Timer(1.0, device.cut_power)
        cut.start()
        with pytest.raises(Unreachable):
            transport.push(new, path)
        cut.join()
    device.boot()
    with device.connected() as transport:
        assert digest(transport, path) == sha(old)
        transport.push(new, path)
        assert digest(transport, path) == sha(new)
        assert transport.run(["ls", "-A", str(path.parent)], timeout=LIMIT_S).stdout.split() == ["model"]


def test_a_full_disk_keeps_what_it_had(device: Device, payload: Callable[[str, int], Path]) -> None:
    old, new = payload("old", 1), payload("new", 8)
    with device.connected() as transport:
        folder = device.mount_small(transport)
        transport.push(old, folder / "model")
        device.fill_disk(transport, folder, leave_kb=4000)
        with pytest.raises(StorageError, match="is full"):
            transport.push(new, folder / "model")
        assert digest(transport, folder / "model") == sha(old)
        left = transport.run(["ls", "-A", str(folder)], timeout=LIMIT_S).stdout.split()
        assert sorted(left) == ["ballast", "lost+found", "model"]


def test_who_asks_for_more_memory_than_there_is_is_ended_and_the_device_goes_on(device: Device) -> None:
    with device.connected() as transport:
        device.fill_memory(transport, leave_mb=100)
        greedy = transport.run(["python3", "-c", "x = bytearray(400 << 20)"], timeout=LIMIT_S)
        assert greedy.returncode == -9
        assert transport.run(["echo", "here"], timeout=LIMIT_S).stdout == "here\n"
    assert "Out of memory" in device.machine.console()


@contextlib.contextmanager
def back(device: Device) -> Iterator[Transport]:
    """The way to it, once both ends have noticed that the link is there again: on a busy machine that takes a while."""
    deadline = time.monotonic() + LIMIT_S
    with contextlib.ExitStack() as stack:
        while True:
            try:
                transport = stack.enter_context(device.connected())
                break
            except Unreachable:
                if time.monotonic() > deadline:
                    raise
        yield transport


@pytest.mark.parametrize("device", ["raspberry-pi-5", "pixel-8"], indirect=True)
def test_a_lost_link_is_noticed_and_what_was_there_stays(
    device: Device, payload: Callable[[str, int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "STALL_S", 5.0)
    old, new = payload("old", 1), payload("new", 6)
    run = process.run

    def cut_as_a_file_is_sent(*args: Any, source: Any = None, **options: Any) -> Any:
        if source is None:
            return run(*args, **options)
        # Slow, so that the file is on its way when the link is lost, and not there with only its receipt on the way.
        with device.slow_link(300):
            threading.Timer(0.4, device.link, [False]).start()
            return run(*args, source=source, **options)

    with device.connected() as transport:
        path = transport.root / "model"
        transport.push(old, path)
        monkeypatch.setattr(process, "run", cut_as_a_file_is_sent)
        started = time.monotonic()
        with pytest.raises(ConnectionLost):
            transport.push(new, path)
        assert time.monotonic() - started < LIMIT_S
    monkeypatch.setattr(process, "run", run)
    device.link(True)
    with back(device) as transport:
        assert digest(transport, path) == sha(old)
        transport.push(new, path)
        assert digest(transport, path) == sha(new)


def test_a_slow_link_is_slow_and_nothing_else(device: Device, payload: Callable[[str, int], Path]) -> None:
    old = payload("old", 1)
    with device.connected() as transport:
        with device.slow_link(300):
            started = time.monotonic()
            transport.push(old, transport.root / "model")
            assert time.monotonic() - started > 0.3
        assert digest(transport, transport.root / "model") == sha(old)


@pytest.mark.parametrize("seconds", [-10 * 365 * 86400, 86400])
def test_a_clock_that_jumps_breaks_nothing(device: Device, payload: Callable[[str, int], Path], seconds: int) -> None:
    old = payload("old", 1)
    with device.connected() as transport:
        device.jump_clock(transport, seconds)
        transport.push(old, transport.root / "model")
        assert digest(transport, transport.root / "model") == sha(old)
        there = int(transport.run(["date", "+%s"], timeout=LIMIT_S).stdout)
        assert abs(there - time.time() - seconds) < 3600
