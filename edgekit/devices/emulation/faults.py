"""Fault injection: power cuts, lost links, full disks and the like, done to an emulated device."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from edgekit.cache import Cache
from edgekit.devices.emulation import registry
from edgekit.devices.emulation.machine import Machine
from edgekit.devices.emulation.qemu import NETWORK, NIC
from edgekit.devices.emulation.registry import Card
from edgekit.devices.emulation.transport import reached
from edgekit.devices.transport import Transport
from edgekit.errors import CommandFailed
from edgekit.runner.machine.linux import available_bytes
from edgekit.specs.target import Target

COMMAND_S = 120.0
SMALL = PurePosixPath("/mnt/small")
"""Mount point of the disk of 64 MB, for `mount_small`."""
MEMORY = PurePosixPath("/dev/shm/ballast")  # noqa: S108  the guest's
BRAKE = "brake"
BY_BLOCK_KB = 2000
"""Size of the last part of a disk, which is filled block by block: how much a large file needs beside its content
varies. All of it so would cost half a million system calls, which are emulated."""


@dataclass(frozen=True)
class Device:
    """A fresh emulated device, with its faults as methods."""

    machine: Machine
    card: Card

    @contextlib.contextmanager
    def connected(self) -> Iterator[Transport]:
        """Open a transport to it; a power cut ends that."""
        with reached(self.card) as transport:
            yield transport

    def cut_power(self) -> None:
        """Cut the power, at once: data that the guest had not flushed to its disk is lost."""
        self.machine.cut_power()

    def boot(self) -> None:
        """Start it again after a power cut, from its disk."""
        self.machine.boot()

    def link(self, up: bool) -> None:
        """Unplug the network cable, or plug it in again."""
        self.machine.qmp.ask("set_link", name=NIC, up=up)

    @contextlib.contextmanager
    def slow_link(self, delay_ms: int) -> Iterator[None]:
        """Delay packets in both directions during the block: they pass once every `delay_ms`."""
        ask, us = self.machine.qmp.ask, delay_ms * 1000
        ask("object-add", qom_type="filter-buffer", id=BRAKE, netdev=NETWORK, interval=us, queue="all")
        try:
            yield
        finally:
            ask("object-del", id=BRAKE)

    def jump_clock(self, transport: Transport, seconds: int) -> None:
        """Set the device's clock ahead by so many seconds, or back."""
        now = int(_run_checked(transport, "date", "+%s"))
        _run_checked(transport, "date", "-s", f"@{now + seconds}")

    def mount_small(self, transport: Transport) -> PurePosixPath:
        """Mount a disk of 64 MB, and return its folder."""
        _run_checked(transport, "mount", "/dev/vdb", str(SMALL))
        return SMALL

    def fill_disk(self, transport: Transport, folder: PurePosixPath, leave_kb: int = 0) -> None:
        """Fill the disk that holds the folder until `leave_kb` are free."""
        ballast = folder / "ballast"
        most_kb = self._free_kb(transport, folder) - leave_kb - BY_BLOCK_KB
        if most_kb > 0:
            _run_checked(transport, "fallocate", "-l", f"{most_kb}K", str(ballast))
        count = max(0, self._free_kb(transport, folder) - leave_kb)
        options = ("oflag=append", "conv=notrunc", "bs=1k", f"count={count}")
        _run_checked(transport, "dd", "if=/dev/zero", f"of={ballast}", *options)

    def _free_kb(self, transport: Transport, folder: PurePosixPath) -> int:
        return int(_run_checked(transport, "df", "-k", "--output=avail", str(folder)).split()[-1])

    def fill_memory(self, transport: Transport, leave_mb: int) -> None:
        """Fill memory until `leave_mb` are available: the kernel kills a process that takes more."""
        _run_checked(transport, "mount", "-o", "remount,size=100%,huge=always", "/dev/shm")  # noqa: S108  the guest's
        available = available_bytes(_run_checked(transport, "cat", "/proc/meminfo"))
        size_mb = (available >> 20) - leave_mb if available else 0
        _run_checked(transport, "fallocate", "-l", f"{size_mb}M", str(MEMORY))


@contextlib.contextmanager
def fresh(target: Target) -> Iterator[Device]:
    """Start a fresh device of that target from its snapshot; nothing of it is left afterwards."""
    with registry.started(target, Cache.of_downloads()) as (machine, card):
        yield Device(machine, card)


def _run_checked(transport: Transport, *argv: str) -> str:
    ended = transport.run(argv, timeout=COMMAND_S)
    if ended.returncode:
        raise CommandFailed(f"{transport.url}: '{argv[0]}' failed: {ended.stderr.strip()[-300:]}")
    return ended.stdout
