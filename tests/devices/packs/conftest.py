"""Devices for runtime packs: a bare arm64 board under qemu-user, and a quick stand-in for it."""

from __future__ import annotations

import io
import os
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

import pytest

from edgekit.cache import Cache, file_digest
from edgekit.devices import debian, process
from edgekit.devices.local import Local
from edgekit.devices.packs.pack import Pack, PackListing
from edgekit.devices.packs.recipe import LOADER
from edgekit.devices.transport import Completed, DeviceKind
from edgekit.errors import CommandFailed, ToolsMissing

QEMU = ("qemu-user",)
BUSYBOX = ("busybox-static",)
APPLETS = ("cat", "find", "gzip", "ls", "mkdir", "rm", "sh", "sha256sum", "tar", "test", "uname")


class Board(Local):
    """A bare arm64 device: busybox and no Python, every instruction of it emulated."""

    kind: ClassVar[DeviceKind] = "device"
    python: ClassVar[str] = "python3"
    applets: ClassVar[tuple[str, ...]] = APPLETS
    cpu: ClassVar[str] = "cortex-a72"
    qemu: ClassVar[Path]
    busybox: ClassVar[Path]
    pushed: ClassVar[list[str]]
    ran: ClassVar[list[str]]

    def push(self, local: Path, remote: PurePosixPath) -> None:
        self.pushed.append(remote.name)
        super().push(local, remote)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        self.ran.append(argv[0])
        own = [] if argv[0].startswith("/") else [str(self.busybox)]
        if own and argv[0] not in self.applets:
            raise CommandFailed(f"{self.url}: there is no '{argv[0]}'")
        return process.run([str(self.qemu), "-cpu", self.cpu, *own, *argv], timeout=timeout)


@pytest.fixture(scope="session")
def emulator() -> tuple[Path, Path]:
    """qemu-aarch64, and busybox for the machine that it is."""
    cache = Cache.of_downloads()
    try:
        qemu = debian.fetched(QEMU, debian.host(), cache, debian.BACKPORTS)
        busybox = debian.fetched(BUSYBOX, "arm64", cache)
    except ToolsMissing as error:
        if os.environ.get("EDGEKIT_REQUIRE_EMULATION") == "1":
            raise
        pytest.skip(f"this machine cannot emulate: {error}")
    return qemu / "usr/bin/qemu-aarch64", busybox / "bin/busybox"


@pytest.fixture
def board(tmp_path: Path, emulator: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Board:
    for name, value in zip(("qemu", "busybox", "pushed", "ran"), (*emulator, [], []), strict=True):
        monkeypatch.setattr(Board, name, value, raising=False)
    return Board(f"local://{tmp_path / 'board'}")


class StandIn(Local):
    """This machine as a bare arm64 device: what a pack's Python would do, ours does."""

    kind: ClassVar[DeviceKind] = "device"
    machine: ClassVar[str] = "aarch64"

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        if argv[0] == "uname":
            argv = ["echo", self.machine]
        if argv[0].endswith(LOADER):
            argv = [sys.executable, *argv[argv.index("-I") :]]
        return super().run(argv, timeout=timeout)


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    return StandIn(f"local://{tmp_path / 'board'}")


@pytest.fixture
def small_pack(tmp_path: Path) -> Pack:
    """A pack of one file."""
    archive = tmp_path / "pack.tar.gz"
    with tarfile.open(archive, "w:gz") as written:
        entry = tarfile.TarInfo("lib/module")
        entry.size = 4
        written.addfile(entry, io.BytesIO(b"code"))
    listing = PackListing(
        distribution="onnxruntime",
        format="onnx",
        versions={},
        digest=file_digest(archive),
        archive_bytes=archive.stat().st_size,
        device_bytes=8192,
    )
    return Pack(listing, archive)
