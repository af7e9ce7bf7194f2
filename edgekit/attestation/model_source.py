"""Verify that a model on this disk is the one that was signed: every file, and no other."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgekit.atomic import readable
from edgekit.attestation.ecdsa_key import EcdsaPublicKey
from edgekit.attestation.model_signing import ModelDigests, Resource, read_bundle
from edgekit.attestation.statement import Statement
from edgekit.errors import SourceSignatureError

MAX_SIGNATURE_BYTES = 64 << 20
MAX_FILES = 100_000
SHOWN = 3
"""Files that an error names, of each kind."""
_CHUNK = 1 << 20
_AGAIN = "get the model and its signature again from whoever publishes both"


@dataclass(frozen=True)
class VerifiedSource:
    """A model that a key signed, and all of whose files were compared."""

    name: str
    """Name that the signer gave it."""
    files: int
    """Files that were compared."""
    bytes: int
    sha256: str
    """Digest of the whole model, in hex: the subject of the signed statement."""
    key_hint: str
    """SHA-256 of the key in PEM, in hex."""
    others: int
    """Signed files that were not looked at, as one file of a signed folder was given."""


def verify_source(model: Path, signature: Path, key: EcdsaPublicKey) -> VerifiedSource:
    """Verify a file or folder against a signature of OpenSSF Model Signing 1.0, by a key.

    The signature is verified before the list of files is believed. A folder must hold every signed file, and no other
    but those that the signer left out, and the signature. Raises SourceSignatureError; StorageError.
    """
    if not model.is_file() and not model.is_dir():
        raise SourceSignatureError(f"there is no model '{model}'", hint="name a file of weights, or their folder")
    digests = _signed_digests(signature, key)
    part = _part(digests, model)
    files = dict(_files(model, digests, signature))
    changed, size = [], 0
    for name in sorted(set(files) & set(part)):
        count, equal = _compare(files[name], part[name], digests)
        size += count
        if not equal:
            changed.append(name)
    faults = [
        *_fault(changed, "changed since it was signed", "changed since they were signed"),
        *_fault(sorted(set(part) - set(files)), "is missing", "are missing"),
        *_fault(sorted(set(files) - set(part)), "was not signed", "were not signed"),
    ]
    if faults:
        raise SourceSignatureError(f"'{model}' is not the model that was signed: {'; '.join(faults)}", hint=_AGAIN)
    others = len(_by_file(digests)) - len(part)
    return VerifiedSource(digests.name, len(files), size, digests.root_sha256, key.hint, others)


def _signed_digests(path: Path, key: EcdsaPublicKey) -> ModelDigests:
    if not path.is_file():
        raise SourceSignatureError(
            f"there is no signature '{path}'", hint="it is published beside the model: model.sig"
        )
    with readable(path), path.open("rb") as file:
        content = file.read(MAX_SIGNATURE_BYTES + 1)
    try:
        if len(content) > MAX_SIGNATURE_BYTES:
            raise ValueError(f"it has more than {MAX_SIGNATURE_BYTES >> 20} MiB")
        envelope, hint = read_bundle(content)
    except ValueError as error:
        hint = "edgekit verify-source reads signatures by a P-256 key: model_signing sign key"
        raise SourceSignatureError(f"'{path}' is no signature of a model: {error}", hint=hint) from error
    if not any(key.verifies(each.raw, envelope.message) for each in envelope.signatures):
        whose = f"; it names the key {hint[:16]}…, and yours is {key.hint[:16]}…" if hint not in ("", key.hint) else ""
        raise SourceSignatureError(f"'{path}' was not made by this key, or was changed{whose}", hint=_AGAIN)
    try:
        return ModelDigests.of(Statement.parse(envelope.payload))
    except ValueError as error:
        raise SourceSignatureError(f"'{path}' cannot be used: {error}", hint=_AGAIN) from error


def _by_file(digests: ModelDigests) -> dict[str, list[Resource]]:
    """Resources by the file that they are of, each file's in their order."""
    files: dict[str, list[Resource]] = {}
    for each in digests.resources:
        name = each.name if digests.method == "files" else each.name.rsplit(":", 2)[0]
        files.setdefault(name, []).append(each)
    return files


def _part(digests: ModelDigests, model: Path) -> dict[str, list[Resource]]:
    """Resources that are compared: all of them, or those of the one file that was given."""
    files = _by_file(digests)
    if model.is_dir():
        return files
    name = "." if "." in files else model.name
    if name not in files:
        named = ", ".join(sorted(files)[:SHOWN])
        hint = f"give the folder that it lies in: it was signed with {named}"
        raise SourceSignatureError(f"'{model}' is none of the {len(files):,} files that were signed", hint=hint)
    return {name: files[name]}


def _files(model: Path, digests: ModelDigests, signature: Path) -> Iterator[tuple[str, Path]]:
    """Files of the model by the names that a statement has for them. Raises SourceSignatureError, StorageError."""
    if not model.is_dir():
        yield ("." if "." in _by_file(digests) else model.name), model
        return
    ignored = [PurePosixPath(each) for each in digests.ignored]
    for path in _walk(model, ignored):
        if path.resolve() == signature.resolve():
            continue
        name = path.relative_to(model).as_posix()
        if path.is_symlink() and (not digests.symlinks or path.is_dir()):
            raise SourceSignatureError(
                f"'{path}' is a symbolic link, and the signer followed none", hint=f"ls -l '{path}' says where to"
            )
        if not path.is_file():
            raise SourceSignatureError(f"'{path}' is no file that can be read", hint=f"ls -l '{path}' says what it is")
        yield name, path


def _walk(model: Path, ignored: list[PurePosixPath]) -> Iterator[Path]:
    count = 0
    with readable(model):
        for folder, names, files in os.walk(model, onerror=_raise):
            inside = Path(folder).relative_to(model)
            links = [name for name in names if (Path(folder) / name).is_symlink()]
            kept = [name for name in names if PurePosixPath(inside / name) not in ignored]
            names[:] = sorted(name for name in kept if name not in links)
            for name in sorted([*files, *(name for name in links if name in kept)]):
                if PurePosixPath(inside / name) in ignored:
                    continue
                count += 1
                if count > MAX_FILES:
                    raise SourceSignatureError(f"'{model}' has more than {MAX_FILES:,} files", hint=_AGAIN)
                yield Path(folder) / name


def _raise(error: OSError) -> None:
    raise error


def _compare(path: Path, resources: list[Resource], digests: ModelDigests) -> tuple[int, bool]:
    """Digest a file in whole, or part by part: its size in bytes, and True if it is as it was signed."""
    with readable(path):
        size = path.stat().st_size
        spans = [(0, size)] if digests.method == "files" else list(map(_span, resources))
        starts = [0, *(end for _, end in spans)]
        whole = len(spans) == len(resources) and [start for start, _ in spans] == starts[:-1] and starts[-1] == size
        return size, whole and all(
            _digest(path, start, end, digests.hash_type) == each.digest
            for (start, end), each in zip(spans, resources, strict=True)
        )


def _span(resource: Resource) -> tuple[int, int]:
    """First byte of a part and the one after its last; an impossible span for a name that states none."""
    _, *ends = resource.name.rsplit(":", 2)
    if len(ends) != 2 or not all(each.isdecimal() and each.isascii() and len(each) < 20 for each in ends):
        return -1, -1
    return int(ends[0]), int(ends[1])


def _digest(path: Path, start: int, end: int, hash_type: str) -> str:
    sha = hashlib.new(hash_type)
    with path.open("rb") as file:
        file.seek(start)
        left = end - start
        while left > 0 and (chunk := file.read(min(left, _CHUNK))):
            sha.update(chunk)
            left -= len(chunk)
    return sha.hexdigest()


def _fault(names: list[str], one: str, several: str) -> list[str]:
    if not names:
        return []
    listed = ", ".join(f"'{name}'" for name in names[:SHOWN])
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return [f"{listed}{more} {one if len(names) == 1 else several}"]
