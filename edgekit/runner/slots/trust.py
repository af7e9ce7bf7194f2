"""Trust of this device, `trust.json`: pinned keys (trust on first use, TOFU), target, version floor (anti-rollback).

Standard library only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import RunnerError
from ..files.durable import read_json, write_json
from ..layout import SLOTS
from .ed25519 import is_key

FILE = "trust.json"


class Trust(NamedTuple):
    """Bundles need `threshold` distinct signers among `keys`, and a version of at least `floor`."""

    keys: tuple[bytes, ...] = ()
    """Raw public keys, 32 bytes each. Without any, the first bundle's signers are pinned."""
    revoked: tuple[str, ...] = ()
    """Ids of keys that are never trusted again."""
    threshold: int = 1
    target: str | None = None
    floor: int = 0

    @classmethod
    def of(cls, root: Path) -> Trust:
        """Read the trust of a device; it has no keys if nothing was ever installed.

        Raises RunnerError (unpinned) if it was lost: where a bundle is installed, keys were pinned before, and the
        next signer must not be taken for the first one.
        """
        trust = cls.read(root)
        if not trust.keys and any((root / name).exists() for name in SLOTS):
            raise RunnerError("unpinned", f"bundles are installed in '{root}', and '{FILE}' there holds no key")
        return trust

    @classmethod
    def read(cls, root: Path) -> Trust:
        """Read the file; no keys if there is none. Raises RunnerError (unpinned) if it is damaged."""
        path = root / FILE
        document = read_json(path, "unpinned")
        if document is None:
            return cls()
        try:
            return cls(*_fields(document))
        except (KeyError, TypeError, ValueError) as error:
            raise RunnerError("unpinned", f"'{path}' is not what edgekit writes there: {error}") from error

    def write(self, root: Path) -> None:
        write_json(root / FILE, self.shown())

    def shown(self) -> dict[str, Any]:
        keys = [{"id": key_id(key), "public_hex": key.hex()} for key in self.keys]
        rest = {"threshold": self.threshold, "target": self.target, "floor": self.floor}
        return {"keys": keys, "revoked": list(self.revoked), **rest}

    def believed(self, offered: Iterable[bytes]) -> tuple[bytes, ...]:
        """Keys that are trusted: the pinned ones; on first use, those that are `offered`."""
        return tuple(key for key in (self.keys or offered) if key_id(key) not in self.revoked)

    def pinning(self, keys: Iterable[bytes]) -> Trust:
        """Copy with these keys pinned too.

        Raises RunnerError: usage for what is no key, trust for one that was revoked.
        """
        added = tuple(keys)
        for key in added:
            if not is_key(key):
                raise RunnerError("usage", f"'{key.hex()}' is no public key")
            if key_id(key) in self.revoked:
                raise RunnerError("trust", f"{key_id(key)} was revoked here")
        return self._replace(keys=tuple(dict.fromkeys((*self.keys, *added))))

    def revoking(self, ids: Iterable[str]) -> Trust:
        """Copy with the keys of these ids removed and never trusted again. Raises RunnerError (usage)."""
        gone = tuple(ids)
        for name in gone:
            if not re.fullmatch(r"ed25519:[0-9a-f]{16}", name):
                raise RunnerError("usage", f"'{name}' is no id of a key")
        revoked = tuple(dict.fromkeys((*self.revoked, *gone)))
        return self._replace(revoked=revoked, keys=tuple(key for key in self.keys if key_id(key) not in revoked))

    def raised(self, floor: int) -> Trust:
        """Copy with a version floor of at least `floor`."""
        return self._replace(floor=max(self.floor, floor))

    def checked(self, before: Trust) -> Trust:
        """Return itself. Raises RunnerError (usage) if no bundle could ever satisfy it."""
        if self.threshold < 1 or self.floor < 0:
            raise RunnerError("usage", "a threshold is at least 1, a floor at least 0")
        if (self.keys or before.keys) and len(self.keys) < self.threshold:
            message = f"{len(self.keys)} keys would be left, and {self.threshold} must sign: pin another one as well"
            raise RunnerError("usage", message)
        return self


def _fields(document: dict[str, Any]) -> tuple[tuple[bytes, ...], tuple[str, ...], int, str | None, int]:
    """Parse the fields of a `Trust`. Raises KeyError, TypeError or ValueError."""
    keys = tuple(bytes.fromhex(key["public_hex"]) for key in document["keys"])
    revoked, threshold, target, floor = (document[name] for name in ("revoked", "threshold", "target", "floor"))
    if not all(len(key) == 32 for key in keys):
        raise ValueError("a public key has 32 bytes")
    if not isinstance(revoked, list) or not all(isinstance(name, str) for name in revoked):
        raise TypeError("'revoked' is no list of ids")
    if type(threshold) is not int or threshold < 1 or type(floor) is not int or floor < 0:
        raise ValueError("a threshold is at least 1, a floor at least 0")
    if not isinstance(target, (str, type(None))):
        raise TypeError("'target' is no name")
    return keys, tuple(revoked), threshold, target, floor


def key_id(raw: bytes) -> str:
    """Id of a key, which people compare: the first 16 hex digits of the SHA-256 of its 32 bytes."""
    return f"ed25519:{hashlib.sha256(raw).hexdigest()[:16]}"
