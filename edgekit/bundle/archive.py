"""The bundle: a reproducible, signed zip. `pack` makes one, and `Bundle.open` is the only way into one."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from edgekit.atomic import partial_beside, readable, stored, sync_folder
from edgekit.bundle.manifest import Manifest, ManifestContent
from edgekit.bundle.signing import (
    LENGTH,
    MAX_SIGNATURES,
    PublicKey,
    SigningKey,
    add_signature,
    check_signature,
    select_signatures,
    signer_ids,
    write_signature,
)
from edgekit.bundle.stored_zip import CHUNK, MAX_BYTES, MAX_ENTRIES, ZipEntry, lay_out, read_chunks, read_entries, tail
from edgekit.errors import BundleError, SignatureError, StorageError
from edgekit.runner.layout import MANIFEST, SIGNATURE
from edgekit.untrusted.paths import contained

MAX_MANIFEST_BYTES = 8 << 20
MAX_CONTENT_BYTES = MAX_BYTES - MAX_ENTRIES * 1024
"""Largest size of all contents: the rest is for the directory of a zip with the most entries."""

Source = Path | bytes
"""Content of a file to pack: a path, or bytes in memory."""


@dataclass(frozen=True)
class Bundle:
    """A bundle that was verified, whole, when it was opened. Contents are verified once more as they are read."""

    path: Path
    manifest: Manifest
    file_sha256: str
    """SHA-256 of the bundle's file, in hex: another one when a signature is added."""
    signers: tuple[PublicKey, ...]
    """The trusted keys that signed it, sorted by id."""
    _entries: Mapping[str, ZipEntry] = field(repr=False)
    _sha256: Mapping[str, str] = field(repr=False)

    @classmethod
    def open(cls, path: Path, trusted: Iterable[PublicKey]) -> Bundle:
        """Verify a bundle, byte for byte, and read its manifest.

        The signature is checked before the manifest is parsed, and the manifest before any payload is read.
        Raises BundleError, SignatureError or UntrustedKey if a byte is not as it was packed; StorageError if it cannot
        be read.
        """
        if not path.is_file():
            raise BundleError(f"there is no bundle '{path}'", hint="edgekit build writes one, NAME.edgekit")
        try:
            with readable(path), path.open("rb") as file:
                return cls._verified(path, file, trusted)
        except BundleError as error:
            hint = error.hint or "copy it again from where it was built, or build it again: edgekit build"
            raise type(error)(f"'{path}' cannot be trusted: {error}", hint=hint) from error

    def __repr__(self) -> str:
        return f"<Bundle {self.manifest.name} for {self.manifest.target}, {self.manifest.format}, {self.digest[:12]}>"

    @property
    def digest(self) -> str:
        """SHA-256 of its manifest, in hex: the identity of the bundle, whoever signed it."""
        return self._sha256[MANIFEST]

    @property
    def unknown_signers(self) -> tuple[str, ...]:
        """Ids in `manifest.sig` of keys that are not trusted, sorted. Anybody can add such a line: none was checked."""
        return tuple(sorted({*signer_ids(self.read(SIGNATURE))} - {key.id for key in self.signers}))

    @property
    def signer(self) -> str:
        """Id of the key that signed it, or of the first of several."""
        return self.signers[0].id

    def read(self, name: str) -> bytes:
        """Read one file. Raises BundleError if there is none, SignatureError if it changed since `open`."""
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of one file in pieces of at most 1 MiB.

        Raises as `read` does: SignatureError after the last piece.
        """
        if name not in self._entries:
            raise BundleError(f"there is no file '{name}' in '{self.path}'")
        with readable(self.path), self.path.open("rb") as file:
            yield from _checked(file, self._entries[name], self._sha256[name])

    def extract(self, folder: Path) -> None:
        """Write every file, the manifest and its signature into a new folder, which appears complete or not at all.

        Raises StorageError if the folder is there or the disk is full, SignatureError if a file changed since `open`.
        """
        if os.path.lexists(folder):
            raise StorageError(f"'{folder}' is there already", hint="name a folder that is not there yet")
        with stored(folder), partial_beside(folder) as partial:
            for name in self._entries:
                target = contained(partial, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as out:
                    out.writelines(self.chunks(name))
                    _sync(out)
            partial.rename(folder)
            sync_folder(folder.parent)

    @classmethod
    def _verified(cls, path: Path, file: BinaryIO, trusted: Iterable[PublicKey]) -> Bundle:
        entries = {entry.name: entry for entry in read_entries(file)}
        signature = _small(file, entries, SIGNATURE, LENGTH * MAX_SIGNATURES)
        raw = _small(file, entries, MANIFEST, MAX_MANIFEST_BYTES)
        signers = check_signature(signature, raw, trusted)
        manifest = Manifest.parse(raw)
        _check_listing(manifest, entries)
        sha256 = {
            name: hashlib.sha256(content).hexdigest() for name, content in ((MANIFEST, raw), (SIGNATURE, signature))
        }
        sha256 |= {listed.path: listed.sha256 for listed in manifest.files}
        return cls(path, manifest, _verify_contents(file, entries, sha256), signers, entries, sha256)


def pack(description: ManifestContent, files: Mapping[str, Source], key: SigningKey, out: Path) -> Bundle:
    """Sign `files` (by their path in the bundle) and write them to `out`: the same input gives the same bytes.

    `out` is replaced in one step, or left as it was. Raises BundleError if the files are not those that the description
    names, too large or too many, or change meanwhile; StorageError if one cannot be read or the disk is full.
    """
    measured = {name: _measure(source) for name, source in files.items()}
    manifest = Manifest.of(description, ((name, size, sha256) for name, (size, _, sha256) in measured.items()))
    raw = manifest.to_bytes()
    contents: dict[str, Source] = {**files, MANIFEST: raw, SIGNATURE: write_signature(key, raw)}
    measured |= {name: _measure(contents[name]) for name in (MANIFEST, SIGNATURE)}
    return _write(contents, measured, [key.public], out)


def sign(bundle: Bundle, key: SigningKey, trusted: Iterable[PublicKey], keep: Iterable[str] = ()) -> Bundle:
    """Add a signature to a bundle, in place.

    The lines of `bundle.unknown_signers` are dropped, so that nobody can fill the places of those who sign later, but
    for those whose ids are in `keep`. Raises UsageError if it has as many as it can hold, and as `open` does.
    """
    raw = bundle.read(MANIFEST)
    known = select_signatures(bundle.read(SIGNATURE), [*(signer.id for signer in bundle.signers), *keep])
    signature = add_signature(known, key, raw)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "bundle"
        bundle.extract(folder)
        contents: dict[str, Source] = {file.path: folder / file.path for file in bundle.manifest.files}
        contents |= {MANIFEST: raw, SIGNATURE: signature}
        measured = {name: _measure(source) for name, source in contents.items()}
        return _write(contents, measured, [*trusted, key.public], bundle.path)


def _write(
    contents: Mapping[str, Source],
    measured: Mapping[str, tuple[int, int, str]],
    trusted: Iterable[PublicKey],
    out: Path,
) -> Bundle:
    entries = lay_out((name, size, crc) for name, (size, crc, _) in sorted(measured.items()))
    _check_limits(entries, measured[MANIFEST][0])
    with stored(out), partial_beside(out) as partial:
        with partial.open("xb") as file:
            for entry in entries:
                file.write(entry.header)
                _copy(contents[entry.name], entry, file)
            file.write(tail(entries))
            _sync(file)
        bundle = Bundle.open(partial, trusted)
        partial.replace(out)
        sync_folder(out.parent)
    return replace(bundle, path=out)


def _measure(source: Source) -> tuple[int, int, str]:
    """Size in bytes, CRC-32 and SHA-256."""
    size, crc, sha = 0, 0, hashlib.sha256()
    for chunk in _chunks(source):
        size += len(chunk)
        crc = zlib.crc32(chunk, crc)
        sha.update(chunk)
    return size, crc, sha.hexdigest()


def _chunks(source: Source) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with readable(source), source.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _copy(source: Source, entry: ZipEntry, out: BinaryIO) -> None:
    size, crc = 0, 0
    for chunk in _chunks(source):
        size += len(chunk)
        crc = zlib.crc32(chunk, crc)
        out.write(chunk)
    if (size, crc) != (entry.size, entry.crc):
        raise BundleError(f"'{entry.name}' changed while it was packed", hint="let one build at a time write it")


def _check_limits(entries: tuple[ZipEntry, ...], manifest_bytes: int) -> None:
    if entries[-1].end > MAX_CONTENT_BYTES:
        raise BundleError(
            f"the files have {entries[-1].end} bytes, more than a bundle can hold ({MAX_CONTENT_BYTES})",
            hint="a profile with int8 or int4 weights stores less: edgekit profiles",
        )
    if len(entries) > MAX_ENTRIES:
        raise BundleError(f"there are {len(entries)} files, more than a bundle can hold ({MAX_ENTRIES})")
    if manifest_bytes > MAX_MANIFEST_BYTES:
        raise BundleError(f"the manifest has {manifest_bytes} bytes, more than {MAX_MANIFEST_BYTES}")


def _small(file: BinaryIO, entries: Mapping[str, ZipEntry], name: str, limit: int) -> bytes:
    """Read an entry of at most `limit` bytes. Raises BundleError if it is missing or larger."""
    if name not in entries:
        raise BundleError(f"it is a zip without '{name}', and so no bundle")
    if entries[name].size > limit:
        raise BundleError(f"'{name}' in it has {entries[name].size} bytes, more than {limit}")
    return b"".join(read_chunks(file, entries[name]))


def _check_listing(manifest: Manifest, entries: Mapping[str, ZipEntry]) -> None:
    """Raise SignatureError unless the zip holds exactly the files that the manifest lists, each of its size."""
    listed = {file.path: file.bytes for file in manifest.files}
    present = {name: entry.size for name, entry in entries.items() if name not in (MANIFEST, SIGNATURE)}
    if listed == present:
        return
    name = min(name for name in listed.keys() | present.keys() if listed.get(name) != present.get(name))
    if name not in present:
        raise SignatureError(f"'{name}' is missing from it")
    if name not in listed:
        raise SignatureError(f"'{name}' was added to it after it was signed")
    raise SignatureError(f"'{name}' in it has {present[name]} bytes, and {listed[name]} were signed")


def _verify_contents(file: BinaryIO, entries: Mapping[str, ZipEntry], sha256: Mapping[str, str]) -> str:
    """Verify every content, and return the SHA-256 of the whole bundle, in constant memory."""
    whole = hashlib.sha256()
    for name, entry in entries.items():
        whole.update(entry.header)
        crc = 0
        for chunk in _checked(file, entry, sha256[name]):
            whole.update(chunk)
            crc = zlib.crc32(chunk, crc)
        if crc != entry.crc:
            raise BundleError(f"the checksum in the header of '{name}' is wrong")
    whole.update(tail(tuple(entries.values())))
    return whole.hexdigest()


def _checked(file: BinaryIO, entry: ZipEntry, sha256: str) -> Iterator[bytes]:
    """Yield the content of an entry in chunks. Raises SignatureError, after the last, if it is not what was signed."""
    sha = hashlib.sha256()
    for chunk in read_chunks(file, entry):
        sha.update(chunk)
        yield chunk
    if sha.hexdigest() != sha256:
        raise SignatureError(f"'{entry.name}' in it is not the file that was signed")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
