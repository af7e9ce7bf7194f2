"""Verification of a bundle by its manifest and signatures: may it be installed on this device?

Nothing is parsed before its signature is checked: first the digest, then signatures, then the manifest, then its target
and version. Standard library only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import RunnerError
from ..files.integrity import is_plain
from ..layout import MANIFEST, SIGNATURE
from ..machine.system import architecture
from . import ed25519
from .expiry import moment
from .trust import Trust, key_id

MAX_MANIFEST_BYTES = 8 << 20
MAX_SIGNATURES = 8
SIGNATURE_BYTES = 8 + 16 + 1 + 88 + 1
_LINE = re.compile(rb"(ed25519:[0-9a-f]{16}) ([A-Za-z0-9+/]{86}==)\n")

MAX_NAME = 100
"""Characters of a model's name that a device keeps."""


class SignedListing(NamedTuple):
    """Fields of a manifest whose signatures were verified."""

    files: Mapping[str, tuple[int, str]]
    """Size in bytes and SHA-256, in hex, by path."""
    target: str
    family: str
    arch: str
    format: str
    runtimes: Mapping[str, str]
    """Versions of the runtimes that the build verified it with, by distribution."""
    version: int
    floor: int
    expires: str | None
    """Time in UTC until which it may be installed."""
    signers: tuple[bytes, ...]
    """Public keys, sorted by id."""
    name: str | None = None
    """Name of the model, for people."""

    @property
    def signer_ids(self) -> tuple[str, ...]:
        return tuple(map(key_id, self.signers))


def allowed(folder: Path, digest: str, trust: Trust, offered: Iterable[bytes], stand_in: bool) -> SignedListing:
    """Verify that the bundle in `folder` is trusted and meant for this device, and return its listing.

    digest: SHA-256 of its manifest. offered: public keys, trusted if none is pinned yet. stand_in: this machine stands
    in for a device, and takes bundles of any architecture. Raises RunnerError: data if it cannot be read, signature if
    it is not what was signed, trust if signed by fewer trusted keys than the threshold, refused for another target,
    version if it is below the version floor.
    """
    raw = _read(folder / MANIFEST, MAX_MANIFEST_BYTES)
    if hashlib.sha256(raw).hexdigest() != digest:
        raise RunnerError("signature", f"'{folder / MANIFEST}' is not the manifest of '{digest[:16]}'")
    signers = _signers(_read(folder / SIGNATURE, MAX_SIGNATURES * SIGNATURE_BYTES), raw, trust.believed(offered))
    if len(signers) < trust.threshold:
        message = f"it needs the signatures of {trust.threshold} trusted keys, and has {len(signers)}"
        raise RunnerError("trust", message)
    listing = _parsed(raw, signers)
    _check_target(listing, trust, stand_in)
    check_version(listing.version, trust)
    return listing


def check_version(version: int, trust: Trust) -> None:
    """Raise RunnerError (version) for a version below this device's floor (anti-rollback)."""
    if version < trust.floor:
        raise RunnerError("version", f"its version {version} is below this device's floor, {trust.floor}")


def check_runtime(listing: SignedListing) -> None:
    """Raise RunnerError (runtime) if the runtime here is of another version than the build verified the bundle with.

    NVIDIA's own runtime is excepted: the maker of the board chooses its version, and the engine plan says which work.
    """
    from ..machine.runtime_versions import DISTRIBUTIONS, public_version, version_of

    for name in DISTRIBUTIONS.get(listing.format, ()):
        verified = public_version(listing.runtimes.get(name))
        # What it was not verified with is not looked for: to learn that it is not there takes as long as a start.
        here = public_version(version_of(name)) if verified else ""
        if here and here != verified:
            raise RunnerError("runtime", f"it was verified with {name} {verified}, this Python has {here}")


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise RunnerError("data", f"'{path}' cannot be read: {error}") from error
    if len(raw) > limit:
        raise RunnerError("data", f"'{path}' has more than {limit} bytes")
    return raw


def _signers(written: bytes, message: bytes, believed: Iterable[bytes]) -> tuple[bytes, ...]:
    """Trusted keys that signed. Signatures by other keys are skipped: they can be neither checked nor trusted."""
    lines = written.splitlines(keepends=True)
    matches = [match for match in map(_LINE.fullmatch, lines) if match]
    ids = [match[1].decode() for match in matches]
    if not matches or len(matches) != len(lines) or ids != sorted(set(ids)):
        raise RunnerError("signature", "its signature is damaged")
    keys = {key_id(key): key for key in believed}
    for name, match in zip(ids, matches):
        signature = base64.b64decode(match[2])
        if base64.b64encode(signature) != match[2]:
            raise RunnerError("signature", "its signature is damaged")
        if name in keys and not ed25519.verifies(keys[name], signature, message):
            raise RunnerError("signature", f"its manifest is not what {name} signed")
    signers = tuple(keys[name] for name in ids if name in keys)
    if not signers:
        raise RunnerError("trust", f"it is signed by {', '.join(ids)}, which this device does not trust")
    return signers


def _parsed(raw: bytes, signers: tuple[bytes, ...]) -> SignedListing:
    try:
        written = json.loads(raw)
        files = {_path(entry["path"]): (_count(entry["bytes"]), str(entry["sha256"])) for entry in written["files"]}
        if len(files) != len(written["files"]):
            raise ValueError("a file is listed twice")
        target, family, arch, format = (str(written[name]) for name in ("target", "family", "arch", "format"))
        runtimes = {str(name): str(version) for name, version in written["versions"].items()}
        version, floor = (_count(written[name]) for name in ("version", "floor"))
        if floor > version:
            raise ValueError(f"its floor {floor} is above its own version {version}")
        expires = moment(written.get("expires"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunnerError("data", f"the manifest makes no sense: {type(error).__name__}: {error}") from error
    name = written.get("name")
    shown = name[:MAX_NAME] if isinstance(name, str) else None
    return SignedListing(files, target, family, arch, format, runtimes, version, floor, expires, signers, shown)


def _path(path: str) -> str:
    if not is_plain(path) or path in (MANIFEST, SIGNATURE):
        raise ValueError(f"'{path}' is no plain name")
    return path


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"'{value}' is no count")
    return value


def _check_target(listing: SignedListing, trust: Trust, stand_in: bool) -> None:
    if trust.target and trust.target not in (listing.target, listing.family):
        raise RunnerError("refused", f"the bundle is for '{listing.target}', this device is a '{trust.target}'")
    machine = architecture(os.uname().machine)
    if listing.arch != machine and not stand_in:
        raise RunnerError("refused", f"the bundle is for {listing.arch}, this device is {machine}")
