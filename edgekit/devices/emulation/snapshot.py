"""Devices that were started once and fell asleep: every other one of the board wakes up from there, in a second."""

from __future__ import annotations

from pathlib import Path

from edgekit.cache import Cache, digest_of
from edgekit.devices.emulation import qemu
from edgekit.devices.emulation.machine import Bench, free_ports, make
from edgekit.devices.emulation.qemu import GuestPorts

MEMORY = "memory"


def asleep(bench: Bench, cache: Cache) -> Path:
    """A folder of the cache with the disks and the memory of a device of that board, made by starting one.

    Raises BootFailed, ImageDamaged, StorageError.
    """
    command = qemu.command(bench.tools, bench.image, bench.board, Path("folder"), GuestPorts(0, 0), 0)
    key = digest_of({"schema": 1, "image": bench.image.digest, "version": bench.tools.version, "command": command})
    return cache.made().fetch(key, lambda folder: _fall_asleep(bench, folder))[0]


def _fall_asleep(bench: Bench, folder: Path) -> None:
    machine = make(bench, folder / "machine", bench.image.folder, free_ports())
    try:
        machine.boot()
        machine.qmp.fall_asleep(str(folder / MEMORY))
        machine.cut_power()
        for path in machine.folder.glob("*.qcow2"):
            path.rename(folder / path.name)
    finally:
        machine.end()
