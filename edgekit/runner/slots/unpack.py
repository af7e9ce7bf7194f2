"""Fill the staging folder: copy the files that the slots have, then unpack one archive of the rest.

Everything is verified once more before it reaches a slot. Standard library only.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RunnerError
from ..files.integrity import CHUNK, digest_of_file, listed
from ..machine.system import available_bytes
from .verify import SignedListing

if TYPE_CHECKING:
    import tarfile

REGULAR = b"0"
"""Type of a tar member that is a regular file: `tarfile.REGTYPE`."""
ODD_HEADERS = (ValueError, IndexError, OverflowError, EOFError)
"""Exceptions that `tarfile` raises for senseless numbers in headers, beside its own errors."""
SlotListings = tuple[tuple[Path, dict[str, str]], ...]
"""Slots, and the SHA-256 by path of the files that each lists."""
FICLONE = 0x40049409
"""ioctl_ficlone(2): `_IOW(0x94, 9, int)`, the same number on Arm, x86 and RISC-V."""


def copy_known(staging: Path, listing: SignedListing, slots: Iterable[Path]) -> list[str]:
    """Copy every listed file that a slot has, and return the paths that are still missing, sorted.

    Copies, not hard links: damage to a file in one slot must not damage the other, which is there to go back to.
    Raises RunnerError (storage).
    """
    known = tuple((slot, listed(slot)) for slot in slots)
    return sorted(
        path for path, expected in listing.files.items() if not _copy_if_known(staging / path, path, expected, known)
    )


def check_room(root: Path, listing: SignedListing, missing: Iterable[str]) -> int:
    """Check that disk and memory can take the bundle, and return the size of the missing files in bytes.

    Raises RunnerError: storage if the disk cannot take them, memory if the model needs more than is available.
    """
    missing_bytes = sum(listing.files[path][0] for path in missing)
    check_free(root, 2 * missing_bytes)  # packed in the archive, and unpacked
    memory, needed = available_bytes(), sum(size for size, _ in listing.files.values())
    if memory is not None and needed > memory:
        raise RunnerError("memory", f"{memory} bytes of memory are free, the model alone needs {needed}")
    return missing_bytes


def unpack(archive: Path, staging: Path, listing: SignedListing) -> None:
    """Unpack the archive, a plain tar of listed files, into `staging`, and remove it.

    Raises RunnerError (data) for anything else in it: links, devices, other names or sizes.
    """
    import tarfile  # the one verb that needs it

    try:
        with tarfile.open(archive, "r:") as members:
            for member in members:
                _extract(members, member, staging, listing)
    except (tarfile.TarError, *ODD_HEADERS) as error:
        raise RunnerError("data", f"'{archive}' is no archive: {error}") from error
    finally:
        archive.unlink(missing_ok=True)


def _extract(members: tarfile.TarFile, member: tarfile.TarInfo, staging: Path, listing: SignedListing) -> None:
    listed = listing.files.get(member.name)
    if listed is None or member.type != REGULAR or member.size != listed[0]:
        raise RunnerError("data", f"'{member.name}' in the archive is no file that its manifest lists")
    source = members.extractfile(member)
    if source is None or member.sparse is not None:
        raise RunnerError("data", f"'{member.name}' in the archive is no plain file")
    target = staging / member.name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    with target.open("xb") as out:
        shutil.copyfileobj(source, out)


def _copy_if_known(target: Path, path: str, expected: tuple[int, str], slots: SlotListings) -> bool:
    """Copy the file from a slot unless it is in its place; False if no slot has it."""
    if digest_of_file(target) == expected[1] and target.stat().st_nlink == 1:
        return True
    source = _find_copy(path, expected, slots)
    if source is None:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    copy(source, target)
    return True


def copy(source: Path, target: Path) -> None:
    """Copy a file, as a reflink where the file system has copy-on-write clones (btrfs, XFS).

    Raises RunnerError (storage) before it fills the disk.
    """
    with source.open("rb") as reader, target.open("xb") as writer:
        try:
            fcntl.ioctl(writer.fileno(), FICLONE, reader.fileno())
        except OSError:
            check_free(target.parent, os.fstat(reader.fileno()).st_size)
            shutil.copyfileobj(reader, writer, CHUNK)


def check_free(folder: Path, count: int) -> None:
    """Raise RunnerError (storage) if the disk of that folder cannot take `count` bytes more."""
    free = os.statvfs(folder)
    if count > free.f_bavail * free.f_frsize:
        raise RunnerError("storage", f"'{folder}' has no room for {count} bytes more")


def _find_copy(path: str, expected: tuple[int, str], slots: SlotListings) -> Path | None:
    # What a slot does not claim to have is not read: files of one size are common, and summing one up takes long.
    candidates = (slot / path for slot, files in slots if files.get(path) == expected[1])
    return next((one for one in candidates if digest_of_file(one) == expected[1]), None)
