"""Command line of QEMU for a board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit.devices.emulation.board import EmulatedBoard
from edgekit.devices.emulation.image import Image
from edgekit.devices.emulation.tools import Tools

KERNEL = "console=ttyAMA0 quiet panic=-1 random.trust_cpu=on"
CODE_CACHE_MB = 256
"""Size of the cache for translated code: QEMU's default is a gigabyte."""
NETWORK, NIC = "net", "nic"


@dataclass(frozen=True)
class GuestPorts:
    """Ports of 127.0.0.1 that are forwarded to the device's sshd and adbd."""

    ssh: int
    adb: int


def command(tools: Tools, image: Image, board: EmulatedBoard, folder: Path, ports: GuestPorts, qmp: int) -> list[str]:
    """Command line for a board of one core that counts its instructions.

    `-icount` makes the guest's clock and its counters exact. folder: holds `disk.qcow2`, `small.qcow2` and
    `packs.qcow2`, which is only read, and gets `console.log`. qmp: descriptor of the control socket. The guest
    reaches nothing but this machine.
    """
    forwards = f"hostfwd=tcp:127.0.0.1:{ports.ssh}-:22,hostfwd=tcp:127.0.0.1:{ports.adb}-:5555"
    return [
        *tools.qemu,
        *("-M", "virt,gic-version=3", "-cpu", board.cpu, "-m", str(board.ram_mb), "-smp", "1"),
        *("-accel", f"tcg,thread=single,tb-size={CODE_CACHE_MB}", "-icount", "shift=0,sleep=on"),
        *("-nodefaults", "-display", "none", "-serial", f"file:{_escaped(folder / 'console.log')}"),
        *("-kernel", str(image.kernel), "-initrd", str(image.initramfs), "-append", KERNEL),
        *_drive(folder, "disk"),
        *_drive(folder, "small"),
        *_drive(folder, "packs", ",readonly=on"),
        *("-netdev", f"user,id={NETWORK},restrict=on,{forwards}"),
        *("-device", f"virtio-net-pci,netdev={NETWORK},id={NIC},romfile="),
        *("-device", "virtio-rng-pci"),
        *("-chardev", f"socket,id=qmp,fd={qmp}", "-mon", "chardev=qmp,mode=control"),
    ]


def _drive(folder: Path, name: str, more: str = "") -> tuple[str, ...]:
    # What the guest flushed is on the host's side, and outlives the emulator: a power cut is one of the guest.
    options = f"if=none,id={name},format=qcow2,cache=writeback,file={_escaped(folder / f'{name}.qcow2')}{more}"
    return ("-drive", options, "-device", f"virtio-blk-pci,drive={name}")


def _escaped(path: Path) -> str:
    return str(path).replace(",", ",,")
