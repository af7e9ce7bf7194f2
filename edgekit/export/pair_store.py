"""Pairs of keys on P-256 of a user, which sign exported folders: apart from the keys that sign bundles.

They lie in `model-signing/` of the config folder, `NAME.key` and `NAME.pub` each, and are their owner's alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edgekit import user_paths
from edgekit.atomic import create, readable, stored
from edgekit.attestation.ecdsa_key import MAX_PEM_BYTES, EcdsaPublicKey
from edgekit.bundle import encryption
from edgekit.bundle.keys import NAME, secret_file
from edgekit.bundle.passphrase import Passphrase
from edgekit.errors import UnknownName, UsageError, suggest
from edgekit.export.signing_pair import SigningPair
from edgekit.permissions import OWNERS_FILE, check_protected, private_folder

FOLDER, DEFAULT = "model-signing", "default"


@dataclass(frozen=True)
class StoredPair:
    """One pair as a listing shows it."""

    name: str
    id: str
    """Id of its public half: `p256:` and the beginning of the SHA-256 that a signature names it by."""
    location: Literal["file", "encrypted file"]
    public: Path


@dataclass(frozen=True)
class PairStore:
    """Pairs in a folder. Raises UnprotectedFile if others can write to it: they could have their own key sign."""

    root: Path

    def __post_init__(self) -> None:
        for folder in (self.root.parent, self.root):
            check_protected(folder)

    @classmethod
    def of_user(cls) -> PairStore:
        """Pairs of this user, in their config folder or in EDGEKIT_CONFIG."""
        return cls(user_paths.config() / FOLDER)

    def new(self, name: str = DEFAULT, passphrase: bytes | None = None) -> StoredPair:
        """Make a pair, and store it, encrypted if a passphrase is given. Raises UsageError if the name is taken or
        cannot be one; StorageError.
        """
        pair = SigningPair(ec.generate_private_key(ec.SECP256R1()))
        if not self._keep(name, pair, passphrase):
            raise UsageError(
                f"there is a key '{name}' for model signing already", hint="edgekit keys new --p256 ANOTHER-NAME"
            )
        return self._publish(name, pair.public)

    def default(self, passphrase: Passphrase) -> tuple[SigningPair, Path, bool]:
        """Load the pair named "default", or make it: the pair, the file of its public half, True if it is new.

        Raises as `SigningPair.read`.
        """
        fresh = None if self._secret(DEFAULT).exists() else SigningPair(ec.generate_private_key(ec.SECP256R1()))
        is_new = fresh is not None and self._keep(DEFAULT, fresh, None)
        return *self.get(DEFAULT, passphrase), is_new

    def get(self, name: str, passphrase: Passphrase) -> tuple[SigningPair, Path]:
        """Load a pair, and the file of its public half. Raises UnknownName, and as `SigningPair.read`."""
        if not self._secret(name).is_file():
            hint = suggest(name, self._names(), f"edgekit keys new --p256 {name}")
            raise UnknownName(f"no key for model signing is named '{name}', and no file is", hint=hint)
        pair = SigningPair.read(self._secret(name), passphrase)
        return pair, self._publish(name, pair.public).public

    def list(self) -> tuple[StoredPair, ...]:
        """List the pairs whose public half is there, by name. Raises UsageError for a file that is no public key."""
        listed = []
        for name in self._names():
            path = self._public(name)
            if path.is_file():
                with readable(path), path.open("rb") as file:
                    public = EcdsaPublicKey.from_pem(file.read(MAX_PEM_BYTES), f"'{path}'")
                listed.append(self._stored(name, public))
        return tuple(listed)

    def _keep(self, name: str, pair: SigningPair, passphrase: bytes | None) -> bool:
        """Write the private half of a new pair; False if there is one."""
        coding = serialization.Encoding.PEM if passphrase is None else serialization.Encoding.DER
        plain = serialization.NoEncryption()
        secret = pair.secret.private_bytes(coding, serialization.PrivateFormat.PKCS8, plain)
        path = self._secret(name)
        with stored(path):
            private_folder(self.root)
        return create(path, secret if passphrase is None else encryption.encrypt(secret, passphrase), OWNERS_FILE)

    def _publish(self, name: str, public: EcdsaPublicKey) -> StoredPair:
        """Write the public half beside the private one, also after a process that died between the two."""
        if not self._public(name).exists():
            create(self._public(name), public.pem, 0o644)
        return self._stored(name, public)

    def _stored(self, name: str, public: EcdsaPublicKey) -> StoredPair:
        path = self._secret(name)
        with readable(path), path.open("rb") as file:
            is_locked = encryption.MARK in file.read(MAX_PEM_BYTES)
        location: Literal["file", "encrypted file"] = "encrypted file" if is_locked else "file"
        return StoredPair(name, f"p256:{public.hint[:16]}", location, self._public(name))

    def _names(self) -> tuple[str, ...]:
        return tuple(sorted(path.stem for path in self.root.glob("*.key") if NAME.fullmatch(path.stem)))

    def _secret(self, name: str) -> Path:
        return secret_file(self.root, name)

    def _public(self, name: str) -> Path:
        return self.root / f"{name}.pub"
