"""Snapshot of a booted device: every other one of the board resumes from it, in a second."""

from __future__ import annotations

from pathlib import Path

from edgekit.cache import Cache, digest_of
from edgekit.devices.emulation import qemu
from edgekit.devices.emulation.machine import DISKS, EmulationSetup, free_ports, make
from edgekit.devices.emulation.qemu import GuestPorts

MEMORY = "memory"


def find_snapshot(setup: EmulationSetup, cache: Cache) -> Path:
    """Find the snapshot of a board in the cache, disks and memory in a folder, or make it by booting a device.

    Raises BootFailed, ImageDamaged, StorageError.
    """
    command = qemu.command(setup.tools, setup.image, setup.board, Path("folder"), GuestPorts(0, 0), 0)
    key = digest_of({"schema": 1, "image": setup.image.digest, "version": setup.tools.version, "command": command})
    return cache.made().fetch(key, lambda folder: _make_snapshot(setup, folder))[0]


def _make_snapshot(setup: EmulationSetup, folder: Path) -> None:
    machine = make(setup, folder / "machine", setup.image.folder, free_ports())
    try:
        machine.boot()
        machine.qmp.fall_asleep(str(folder / MEMORY))
        machine.cut_power()
        for name in DISKS:
            (machine.folder / f"{name}.qcow2").rename(folder / f"{name}.qcow2")
    finally:
        machine.end()
