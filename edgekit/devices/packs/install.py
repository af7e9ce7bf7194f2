"""Installation of a runtime pack on a device: sent once, and there whole or not at all."""

from __future__ import annotations

import contextlib
import gzip
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePosixPath

from edgekit.cache import storage_errors
from edgekit.devices.packs.pack import Pack, interpreter
from edgekit.devices.packs.recipe import MACHINE
from edgekit.devices.transport import Transport
from edgekit.errors import CommandFailed, EdgekitError, Incompatible, StorageError, TooSmall
from edgekit.runner.layout import RUNTIMES

QUICK_S, UNPACK_S = 60.0, 600.0
STALE_MIN = 60
NOT_FOUND = 127
CHUNK_BYTES = 1 << 20
# One line: a shell on the device may have to quote it.
SETTLE = "import os, sys; os.sync(); os.rename(*sys.argv[1:]); os.sync()"


def installed_packs(device: Transport) -> list[PurePosixPath]:
    """List the folders of the packs on the device."""
    home = device.root / RUNTIMES
    listed = device.run(["ls", str(home)], timeout=QUICK_S).stdout.split()
    return [home / name for name in listed if re.fullmatch("[0-9a-f]{16}", name)]


def install_pack(
    pack: Pack, device: Transport, beside_bytes: int = 0, known: AbstractSet[str] = frozenset()
) -> PurePosixPath:
    """Install a pack, and return its folder on the device. The folder appears whole or not at all.

    known: names of packs that are on the device, and are not sent again. beside_bytes: room that must be left beside
    it. Raises Incompatible, TooSmall, StorageError, CommandFailed, Unreachable.
    """
    home = device.root / RUNTIMES
    folder = home / pack.listing.digest[:16]
    if folder.name in known or _is_there(folder, device):
        return folder
    _check_machine(device)
    partial = home / f".{folder.name}.{secrets.token_hex(4)}"
    archive = home / f"{partial.name}.tar"
    unzips = _has(device, "gzip")
    try:
        with contextlib.nullcontext(pack.archive) if unzips else _unzipped(pack.archive) as local:
            _check_room(pack.listing.device_bytes + local.stat().st_size + beside_bytes, device)
            device.push(local, archive)
        _remove_stale(home, device)
        _do(device, "mkdir", str(partial))
        _do(device, "tar", "-xzf" if unzips else "-xf", str(archive), "-C", str(partial))
        _settle(partial, folder, device)
    finally:
        with contextlib.suppress(EdgekitError):
            device.run(["rm", "-rf", str(archive), str(partial)], timeout=UNPACK_S)
    return folder


def _is_there(folder: PurePosixPath, device: Transport) -> bool:
    return device.run(["test", "-d", str(folder)], timeout=QUICK_S).returncode == 0


def _has(device: Transport, program: str) -> bool:
    try:
        return device.run([program, "--help"], timeout=QUICK_S).returncode != NOT_FOUND
    except CommandFailed:
        return False


@contextlib.contextmanager
def _unzipped(archive: Path) -> Iterator[Path]:
    """Unzip the archive for a device without gzip: three times as large."""
    with tempfile.TemporaryDirectory() as name:
        plain = Path(name) / archive.stem
        with storage_errors(plain.parent), gzip.open(archive) as packed, plain.open("wb") as file:
            shutil.copyfileobj(packed, file, CHUNK_BYTES)
        yield plain


def _check_machine(device: Transport) -> None:
    machine = device.run(["uname", "-m"], timeout=QUICK_S).stdout.strip()
    if machine != MACHINE:
        hint = "--runtime system uses what the device has"
        raise Incompatible(
            f"runtime packs are for {MACHINE}, {device.url} is {machine or 'of no known kind'}", hint=hint
        )


def _check_room(needed: int, device: Transport) -> None:
    free = device.free_bytes(device.root)
    if free is not None and free < needed:
        raise TooSmall(
            f"{device.url} has {free / 1e6:.0f} MB free at '{device.root}', "
            f"the runtime pack and the bundle need {needed / 1e6:.0f} MB",
            hint="make room on the device; packs that nothing uses are in its 'runtimes'",
        )


def _remove_stale(home: PurePosixPath, device: Transport) -> None:
    """Remove the files of hosts or devices that died. Without `find` on the device they stay."""
    names = ("-mindepth", "1", "-maxdepth", "1", "-name", ".*", "-mmin", f"+{STALE_MIN}")
    with contextlib.suppress(CommandFailed):
        device.run(["find", str(home), *names, "-exec", "rm", "-rf", "{}", "+"], timeout=UNPACK_S)


def _settle(partial: PurePosixPath, folder: PurePosixPath, device: Transport) -> None:
    """Flush and rename the unpacked folder, by its own Python: that proves that it starts."""
    try:
        _do(device, *interpreter(partial), "-c", SETTLE, str(partial), str(folder))
    except CommandFailed:
        # Another host's may be there by now: a folder that is not empty is not replaced.
        if not _is_there(folder, device):
            raise


def _do(device: Transport, *argv: str) -> None:
    ended = device.run(argv, timeout=UNPACK_S)
    if not ended.returncode:
        return
    last = " | ".join(ended.stderr.strip().splitlines()[-3:])
    if "No space left" in last or "Disk quota" in last:
        raise StorageError(f"{device.url}: the disk of '{device.root}' is full", hint="make room on the device")
    raise CommandFailed(f"{device.url}: the runtime pack could not be put in place: '{argv[0]}' said: {last}")
