"""What goes wrong with devices in the field, done to an emulated one on purpose."""

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
"""Where `mount_small` puts the disk of 64 MB."""
MEMORY = PurePosixPath("/dev/shm/ballast")  # noqa: S108  the guest's
BRAKE = "brake"


@dataclass(frozen=True)
class Device:
    """A fresh emulated device, the way in, and what can be done to it."""

    machine: Machine
    card: Card

    @contextlib.contextmanager
    def connected(self) -> Iterator[Transport]:
        """A way in of its own; a power cut ends it."""
        with reached(self.card) as transport:
            yield transport

    def cut_power(self) -> None:
        """Pull the plug, at once: what the guest had not flushed to its disk is lost."""
        self.machine.cut_power()

    def boot(self) -> None:
        """Start it again after a power cut, from its disk."""
        self.machine.boot()

    def link(self, up: bool) -> None:
        """Plug the network cable out, or in again."""
        self.machine.qmp.ask("set_link", name=NIC, up=up)

    @contextlib.contextmanager
    def slow_link(self, delay_ms: int) -> Iterator[None]:
        """Hold back what is sent in either direction, and let it through once every `delay_ms`."""
        ask, us = self.machine.qmp.ask, delay_ms * 1000
        ask("object-add", qom_type="filter-buffer", id=BRAKE, netdev=NETWORK, interval=us, queue="all")
        try:
            yield
        finally:
            ask("object-del", id=BRAKE)

    def jump_clock(self, transport: Transport, seconds: int) -> None:
        """Set the device's clock so much ahead, or behind."""
        now = int(_run_checked(transport, "date", "+%s"))
        _run_checked(transport, "date", "-s", f"@{now + seconds}")

    def mount_small(self, transport: Transport) -> PurePosixPath:
        """The folder of a disk that is soon full."""
        _run_checked(transport, "mount", "/dev/vdb", str(SMALL))
        return SMALL

    def fill_disk(self, transport: Transport, folder: PurePosixPath, leave_kb: int = 0) -> None:
        """Leave no more than `leave_kb` of the disk that holds the folder."""
        free_kb = int(_run_checked(transport, "df", "-k", "--output=avail", str(folder)).split()[-1])
        _run_checked(
            transport, "dd", "if=/dev/zero", f"of={folder / 'ballast'}", "bs=1k", f"count={max(0, free_kb - leave_kb)}"
        )

    def fill_memory(self, transport: Transport, leave_mb: int) -> None:
        """Leave no more than `leave_mb` of memory: who asks for more is ended by the kernel."""
        _run_checked(transport, "mount", "-o", "remount,size=100%", "/dev/shm")  # noqa: S108  the guest's
        available = available_bytes(_run_checked(transport, "cat", "/proc/meminfo"))
        count = (available >> 20) - leave_mb if available else 0
        _run_checked(transport, "dd", "if=/dev/zero", f"of={MEMORY}", "bs=1M", f"count={count}")


@contextlib.contextmanager
def fresh(target: Target) -> Iterator[Device]:
    """A warm device of that target, which nobody used before; nothing of it is left afterwards."""
    with registry.started(target, Cache.of_downloads()) as (machine, card):
        yield Device(machine, card)


def _run_checked(transport: Transport, *argv: str) -> str:
    ended = transport.run(argv, timeout=COMMAND_S)
    if ended.returncode:
        raise CommandFailed(f"{transport.url}: '{argv[0]}' failed: {ended.stderr.strip()[-300:]}")
    return ended.stdout
