"""Runtime pack: Python, libraries and one runtime in an archive, for an arm64 device that has none of them."""

from __future__ import annotations

import gzip
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgekit.cache import Cache, digest_of, file_digest
from edgekit.devices.packs.assemble import assemble
from edgekit.devices.packs.recipe import LOADER, PYTHON, Recipe, versions_of
from edgekit.ir.artifact import Format
from edgekit.specs.spec import Spec

ARCHIVE, LISTING = "pack.tar.gz", "pack.json"
SOURCES = ("assemble.py", "executorch.cpp", "native.py", "pack.py", "recipe.py", "wheels.py")
"""Files of this folder that decide the bytes of a pack."""
BLOCK_BYTES = 4096
NONE: Mapping[str, str] = {}


class PackListing(Spec):
    """Description of a pack's archive."""

    distribution: str
    format: Format
    versions: Mapping[str, str]
    """Versions by distribution; `python` and `libc` are Debian's."""
    digest: str
    """SHA-256 of the archive, in hex."""
    archive_bytes: int
    device_bytes: int
    """Size in bytes on a device's disk, in whole blocks."""


@dataclass(frozen=True)
class Pack:
    """A pack in the cache."""

    listing: PackListing
    archive: Path


def interpreter(folder: PurePosixPath) -> tuple[str, ...]:
    """Command line of the Python of a pack unpacked in `folder`, with its own libraries and nothing of the device's."""
    loader = (str(folder / "lib" / LOADER), "--inhibit-cache", "--library-path", str(folder / "lib"))
    return (*loader, str(folder / "bin" / PYTHON), "-I", "-S", "-B")


def pack_key(recipe: Recipe, versions: Mapping[str, str] = NONE) -> str:
    """Key in the cache of downloads of the pack that `build` makes. Raises PackError."""
    sources = {name: file_digest(Path(__file__).with_name(name)) for name in SOURCES}
    chosen = versions_of(recipe, versions)
    return digest_of({"schema": 1, "pack": recipe.distribution, "versions": chosen, "sources": sources})


def build(recipe: Recipe, versions: Mapping[str, str], cache: Cache) -> Pack:
    """Build the pack of a recipe, or take it from the cache.

    versions: those of the bundle, by distribution; the version that edgekit requires is taken where it has none. The
    same packages give the same bytes. Raises PackError, ToolsMissing, StorageError.
    """
    chosen = versions_of(recipe, versions)

    def make(entry: Path) -> None:
        with tempfile.TemporaryDirectory(dir=entry) as name:
            folder = Path(name)
            debian = assemble(recipe, chosen, folder, cache)
            write_archive(folder, entry / ARCHIVE)
            device_bytes = sum(_on_disk(path) for path in folder.rglob("*"))
        listing = PackListing(
            distribution=recipe.distribution,
            format=recipe.format,
            versions=chosen | debian,
            digest=file_digest(entry / ARCHIVE),
            archive_bytes=(entry / ARCHIVE).stat().st_size,
            device_bytes=device_bytes,
        )
        (entry / LISTING).write_text(listing.model_dump_json(indent=2))

    entry, _ = cache.made().fetch(pack_key(recipe, versions), make)
    return Pack(PackListing.model_validate_json((entry / LISTING).read_text()), entry / ARCHIVE)


def write_archive(folder: Path, out: Path) -> None:
    """Write every file and folder below `folder` as .tar.gz: the same content gives the same bytes."""
    with (
        out.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in sorted(folder.rglob("*")):
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.mode = 0o755
            if path.is_dir():
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
                continue
            entry.size = path.stat().st_size
            with path.open("rb") as content:
                archive.addfile(entry, content)


def _on_disk(path: Path) -> int:
    blocks = -(-path.stat().st_size // BLOCK_BYTES) if path.is_file() else 1
    return blocks * BLOCK_BYTES
