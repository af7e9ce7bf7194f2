"""Initramfs, the small archive that Linux starts from: busybox, the modules that reach the disk, and `guest/init`."""

from __future__ import annotations

import gzip
import io
import re
from pathlib import Path

from edgekit.errors import ImageDamaged

MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "virtio_rng")
"""Kernel modules for devices of the emulated board that are not built into Debian's kernel."""
FOLDER, PROGRAM, FILE, CONSOLE = 0o40755, 0o100755, 0o100644, 0o20600
CONSOLE_NUMBER = (5, 1)


def initramfs(kernel: Path, busybox: Path, init: bytes) -> bytes:
    """Make the initramfs for the kernel unpacked in `kernel`: gzip of a cpio archive, the same bytes every time.

    Format: Linux, Documentation/driver-api/early-userspace/buffer-format.rst, "newc". Raises ImageDamaged if the
    kernel lacks a module.
    """
    modules = _modules(kernel)
    archive = _Cpio()
    for name in ("dev", "proc", "sys", "disk", "modules"):
        archive.add(name, FOLDER)
    archive.add("dev/console", CONSOLE, device=CONSOLE_NUMBER)
    archive.add("busybox", PROGRAM, busybox.read_bytes())
    archive.add("init", PROGRAM, init)
    archive.add("modules/order", FILE, "\n".join(modules).encode())
    for name, path in modules.items():
        archive.add(f"modules/{name}.ko", FILE, path.read_bytes())
    return gzip.compress(archive.finished(), compresslevel=6, mtime=0)


def _modules(kernel: Path) -> dict[str, Path]:
    """Files of MODULES and of their dependencies, each after its own dependencies."""
    files = {path.stem.replace("-", "_"): path for path in (kernel / "lib/modules").rglob("*.ko")}
    ordered: dict[str, Path] = {}

    def add(name: str) -> None:
        if name in ordered:
            return
        if name not in files:
            raise ImageDamaged(f"Debian's kernel has no module '{name}'", hint="please report it")
        for needed in _dependencies(files[name]):
            add(needed)
        ordered[name] = files[name]

    for name in MODULES:
        add(name)
    return ordered


def _dependencies(module: Path) -> list[str]:
    """Dependencies of a module: `depends=` in its section .modinfo."""
    depends = re.search(rb"\0depends=([^\0]*)\0", module.read_bytes())
    names = depends.group(1).decode().split(",") if depends else []
    return [name.replace("-", "_") for name in names if name]


class _Cpio:
    def __init__(self) -> None:
        self._file, self._count = io.BytesIO(), 0

    def add(self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        self._count += 1
        links, owner, when, check = 1, 0, 0, 0
        fields = (self._count, mode, owner, owner, links, when, len(content), 0, 0, *device, len(name) + 1, check)
        self._padded(b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0")
        self._padded(content)

    def finished(self) -> bytes:
        self.add("TRAILER!!!", 0)
        return self._file.getvalue()

    def _padded(self, content: bytes) -> None:
        self._file.write(content + b"\0" * (-len(content) % 4))
