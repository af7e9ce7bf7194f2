"""Key store of a user: signing keys of their own, and public keys that they trust or have revoked."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgekit import user_paths
from edgekit.atomic import create, readable, stored
from edgekit.attestation.ecdsa_key import MAX_PEM_BYTES
from edgekit.bundle import encryption
from edgekit.bundle.key_uri import is_uri, key_at
from edgekit.bundle.passphrase import Passphrase, from_file
from edgekit.bundle.signing import PublicKey, SigningKey
from edgekit.errors import UnknownName, UnprotectedFile, UsageError, suggest
from edgekit.permissions import OWNERS_FILE, check_protected, private_folder

DEFAULT = "default"
TRUSTED, REVOKED = "trusted", "revoked"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def secret_file(root: Path, name: str) -> Path:
    """File of the private key called `name` in a folder of keys. Raises UsageError for what cannot be a name."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be the name of a key", hint="use up to 64 letters, digits, '.', '_' and '-'")
    return root / f"{name}.key"


@dataclass(frozen=True)
class KeyStore:
    """Key store in a folder: `NAME.key` and `NAME.pub` each, `trusted/`, and an empty file for each id in `revoked/`.

    A key in an agent or a token has `NAME.uri`, its URI, in place of `NAME.key`. Safe when several processes use it.
    Files are their owner's alone, modes 0700 and 0600, whatever umask says. Raises UnprotectedFile if others can write
    to a folder of it: they could have their own keys trusted.
    """

    root: Path
    passphrase: Passphrase = field(default=from_file, repr=False)
    """Function that is called for the passphrase of an encrypted key, or the PIN of a token."""

    def __post_init__(self) -> None:
        for folder in (self.root.parent, self.root, self.root / TRUSTED, self.root / REVOKED):
            check_protected(folder)

    @classmethod
    def of_user(cls, passphrase: Passphrase = from_file) -> KeyStore:
        """Key store of this user, in their config folder or in EDGEKIT_CONFIG."""
        return cls(user_paths.config() / "keys", passphrase)

    def new(self, name: str, passphrase: bytes | None = None) -> SigningKey:
        """Make a pair, and store it, encrypted if a passphrase is given.

        Raises UsageError if the name is taken or cannot be one; StorageError.
        """
        key = SigningKey.generate()
        if not self._keep(name, key.to_pem(passphrase)):
            raise _taken(name)
        self._publish(name, key.public)
        return key

    def add(self, name: str, uri: str) -> SigningKey:
        """Give a name to a key in an agent or a token. Raises as `new` does, and as `key_at`."""
        if self._secret(name).exists() or self._public(name).exists():
            raise _taken(name)
        key = self._unrevoked(uri, key_at(uri, self.passphrase))
        if not _create(self._uri(name), uri.encode()):
            raise _taken(name)
        self._publish(name, key.public)
        return key

    def get(self, name: str) -> SigningKey:
        """Load the user's key of that name, or the one of a URI, whose public half is then trusted.

        Raises UnknownName (with the nearest), UsageError if others can read its file, it holds something else, or it
        was revoked, and what `key_at` and `passphrase` do.
        """
        if is_uri(name):
            key = self._unrevoked(name, key_at(name, self.passphrase))
            self._trust(key.public)
            return key
        path, uri = self._secret(name), self._uri(name)
        if path.is_file():
            key = SigningKey.from_pem(_read_secret(path), f"'{path}'", self.passphrase)
        elif uri.is_file():
            known = _read_public(self._public(name)) if self._public(name).exists() else None
            key = key_at(_read_secret(uri).decode("utf-8", "replace").strip(), self.passphrase, known)
        else:
            hint = suggest(name, self._names(), f"edgekit keys new {name}")
            raise UnknownName(f"no key is named '{name}'", hint=hint)
        self._publish(name, key.public)
        return self._unrevoked(name, key)

    def location(self, name: str) -> str:
        """Location of the private half of the user's key: `file`, `encrypted file`, or a URI. Raises StorageError."""
        path = self._secret(name)
        if not path.is_file():
            return _read_secret(self._uri(name)).decode("utf-8", "replace").strip()
        return "encrypted file" if encryption.MARK in _read_secret(path) else "file"

    def default(self) -> tuple[SigningKey, bool]:
        """Load the key named "default", or make it; True beside it if it was made just now."""
        is_new = not self._secret(DEFAULT).is_file() and self._keep(DEFAULT, SigningKey.generate().to_pem())
        return self.get(DEFAULT), is_new

    def list(self) -> Mapping[str, PublicKey]:
        """Public halves of the user's own keys, by name."""
        return {name: self._half(name) for name in self._names()}

    def public(self, name: str) -> PublicKey:
        """Load the public half of the user's key of that name, or of a file `NAME.pub`. Raises what `get` does."""
        if name.endswith(".pub") and not is_uri(name):
            return _read_public(Path(name))
        if is_uri(name) or not self._public(name).exists():
            return self.get(name).public
        half = _read_public(self._public(name))
        self._check_revoked(name, half)
        return half

    def trust(self, path: Path) -> PublicKey:
        """Copy a public key into the store: bundles that it signed can be opened. Raises UsageError if it is none."""
        key = _read_public(path)
        self._trust(key)
        return key

    def trusted(self) -> tuple[PublicKey, ...]:
        """List every trusted key: the user's own, and those of others, without the revoked ones.

        Raises UsageError for a bad file.
        """
        revoked = self.revoked()
        return tuple(key for key in self._known() if key.id not in revoked)

    def revoke(self, key: str) -> str:
        """Revoke a key, by the name of a key of the user's, or by its id, and return the id.

        Nothing is signed with it, and no bundle that it signed is opened, from then on. Raises UnknownName for a name
        that no key has.
        """
        named = {name: half.id for name, half in self.list().items()}
        key_id = named.get(key, key)
        if not re.fullmatch("ed25519:[0-9a-f]{16}", key_id):
            raise UnknownName(f"no key is '{key}'", hint=suggest(key, named, "edgekit keys list"))
        _create(self.root / REVOKED / key_id.replace(":", "-"), b"")
        return key_id

    def revoked(self) -> frozenset[str]:
        """Ids of the keys that are never trusted again."""
        return frozenset(path.name.replace("-", ":") for path in (self.root / REVOKED).glob("ed25519-*"))

    def _known(self) -> tuple[PublicKey, ...]:
        paths = [*self.root.glob("[!.]*.pub"), *(self.root / TRUSTED).glob("[!.]*.pub")]
        return tuple(dict.fromkeys(map(_read_public, sorted(paths))))

    def _trust(self, key: PublicKey) -> None:
        _create(self.root / TRUSTED / f"{key.id.replace(':', '-')}.pub", key.to_pem())

    def _check_revoked(self, name: str, key: PublicKey) -> None:
        if key.id in self.revoked():
            raise UsageError(f"the key '{name}' ({key.id}) was revoked", hint="edgekit keys new ANOTHER-NAME")

    def _unrevoked(self, name: str, key: SigningKey) -> SigningKey:
        self._check_revoked(name, key.public)
        return key

    def _keep(self, name: str, pem: bytes) -> bool:
        """Write the private half of a new pair; False if there is one."""
        secret, public = self._secret(name), self._public(name)
        if self._uri(name).exists():
            return False
        # the secret half is always the first to appear
        if public.exists() and not secret.exists():
            raise UsageError(f"'{public}' has lost its private key", hint=f"mv '{public}' '{self.root / TRUSTED}/'")
        return _create(secret, pem)

    def _publish(self, name: str, key: PublicKey) -> None:
        """Write the public half beside the private one, also after a process that died between the two."""
        path = self._public(name)
        if not path.exists():
            _create(path, key.to_pem())
        if _read_public(path) != key:
            raise UsageError(f"'{path}' is not the public half of '{self._secret(name)}'", hint=f"rm '{path}'")

    def _half(self, name: str) -> PublicKey:
        path = self._public(name)
        return _read_public(path) if path.exists() else self.get(name).public

    def _names(self) -> tuple[str, ...]:
        paths = (*self.root.glob("*.key"), *self.root.glob("*.uri"))
        return tuple(sorted({path.stem for path in paths if NAME.fullmatch(path.stem)}))

    def _secret(self, name: str) -> Path:
        return secret_file(self.root, name)

    def _public(self, name: str) -> Path:
        return self._secret(name).with_suffix(".pub")

    def _uri(self, name: str) -> Path:
        return self._secret(name).with_suffix(".uri")


def _taken(name: str) -> UsageError:
    return UsageError(f"there is a key '{name}' already", hint="edgekit keys new ANOTHER-NAME")


def _create(path: Path, content: bytes) -> bool:
    with stored(path):
        private_folder(path.parent)
    return create(path, content, OWNERS_FILE)


def _read_secret(path: Path) -> bytes:
    """Read the text of a private key. Raises UnprotectedFile if anybody but its owner may read it."""
    with readable(path), path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise UnprotectedFile(f"others can read the private key '{path}'", hint=f"chmod 600 '{path}'")
        return file.read(MAX_PEM_BYTES)


def _read_public(path: Path) -> PublicKey:
    if not path.is_file():
        raise UsageError(f"there is no file '{path}'", hint="`edgekit keys new` prints where NAME.pub is")
    with readable(path), path.open("rb") as file:
        return PublicKey.from_pem(file.read(MAX_PEM_BYTES), f"'{path}'")
