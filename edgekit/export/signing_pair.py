"""Signature of a folder as OpenSSF Model Signing 1.0 has it, over every file in it, by a key on the curve P-256.

The format is that of `attestation.model_signing` (https://github.com/ossf/model-signing-spec). Who has the public key
verifies it without a network: `model_signing verify key DIR --signature DIR/model.sig --public_key KEY.pub`.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edgekit.atomic import readable
from edgekit.attestation.dsse import Envelope
from edgekit.attestation.ecdsa_key import MAX_PEM_BYTES, EcdsaPublicKey
from edgekit.attestation.model_signing import ModelDigests, Resource, sigstore_bundle
from edgekit.bundle.passphrase import Passphrase
from edgekit.cache import file_digest
from edgekit.errors import KeyLocked, UnprotectedFile, UsageError

SIGNATURE = "model.sig"
IGNORED = (".git", ".gitattributes", ".github", ".gitignore")
"""Files of a repository, which its host changes: left out, as the public tool does."""
_MAKE_ONE = "edgekit keys new --p256 NAME"


@dataclass(frozen=True)
class SigningPair:
    """Pair of keys on P-256."""

    secret: ec.EllipticCurvePrivateKey = field(repr=False)
    id: str = ""
    """Id in an envelope: none, as in those of the public tool."""

    def sign(self, message: bytes) -> bytes:
        """Sign a message by ECDSA over its SHA-256; return the signature in DER."""
        return self.secret.sign(message, ec.ECDSA(hashes.SHA256()))

    @property
    def public(self) -> EcdsaPublicKey:
        """Public half."""
        return EcdsaPublicKey(self.secret.public_key())

    @classmethod
    def read(cls, path: Path, passphrase: Passphrase) -> SigningPair:
        """Read a private key, PEM.

        Raises UsageError if it is none on P-256, UnprotectedFile if others can read it, KeyLocked, StorageError.
        """
        if not path.is_file():
            raise UsageError(f"there is no file '{path}'", hint=_MAKE_ONE)
        with readable(path), path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise UnprotectedFile(f"others can read the private key '{path}'", hint=f"chmod 600 '{path}'")
            raw = file.read(MAX_PEM_BYTES)
        locked = b"ENCRYPTED" in raw
        word = passphrase(f"the key '{path}'") if locked else None
        try:
            secret = serialization.load_pem_private_key(raw, word)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            if locked:
                raise KeyLocked(f"the passphrase of the key '{path}' is wrong", hint="type it again") from error
            raise _unfit(path) from error
        if not isinstance(secret, ec.EllipticCurvePrivateKey) or not isinstance(secret.curve, ec.SECP256R1):
            raise _unfit(path)
        return cls(secret)


def signature_of(folder: Path, name: str, pair: SigningPair) -> bytes:
    """Sign every file below a folder but `model.sig`; return the content of that. name: subject of the statement."""
    files = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    signed = [(path, file) for path, file in files if path != SIGNATURE and path.split("/")[0] not in IGNORED]
    resources = tuple(Resource(path, _digest(file)) for path, file in signed)
    statement = ModelDigests(name, resources, ignored=IGNORED).to_statement()
    return sigstore_bundle(Envelope.signed(statement.to_bytes(), pair), pair.public.hint) + b"\n"


def _digest(path: Path) -> str:
    with readable(path):
        return file_digest(path)


def _unfit(path: Path) -> UsageError:
    return UsageError(f"'{path}' is no private key on the curve P-256, as Model Signing takes them", hint=_MAKE_ONE)
