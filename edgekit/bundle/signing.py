"""Ed25519 keys, and the one writing of signatures: lines `ed25519:<key id> <base64>`, sorted by id."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edgekit.bundle import encryption
from edgekit.bundle.passphrase import Passphrase, from_file
from edgekit.errors import KeyLocked, KeyUnreachable, SignatureError, UntrustedKey, UsageError
from edgekit.runner.slots.ed25519 import is_key

LENGTH = 8 + 16 + 1 + 88 + 1
"""Bytes of a signature as it is written."""
MAX_SIGNATURES = 8
_WRITTEN = re.compile(rb"(ed25519:[0-9a-f]{16}) ([A-Za-z0-9+/]{86}==)\n")


@dataclass(frozen=True)
class PublicKey:
    """Half of a pair that may be shown: verifies."""

    raw: bytes
    """32 bytes, as RFC 8032 encodes them."""

    @property
    def id(self) -> str:
        """What people compare: the first 16 hex digits of the SHA-256 of `raw`."""
        return f"ed25519:{hashlib.sha256(self.raw).hexdigest()[:16]}"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this key signed `message`, by the rule of devices: a key of small order verifies nothing."""
        if not is_key(self.raw):
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def to_pem(self) -> bytes:
        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    @classmethod
    def from_pem(cls, pem: bytes, where: str) -> PublicKey:
        """The key in the text of a `.pub` file, ours or OpenSSH's. Raises UsageError, naming `where`, for all else."""
        if b"PRIVATE KEY-----" in pem:
            raise UsageError(f"{where} is a private key", hint="give the public one beside it, NAME.pub")
        openssh = pem.startswith(b"ssh-")
        load = serialization.load_ssh_public_key if openssh else serialization.load_pem_public_key
        try:
            key = load(pem)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise UsageError(f"{where} is no public key in PEM form", hint="it is the NAME.pub of a key") from error
        if not isinstance(key, Ed25519PublicKey):
            raise UsageError(f"{where} is not an Ed25519 key", hint="edgekit keys new NAME")
        raw = key.public_bytes_raw()
        if not is_key(raw):
            # It would verify what nobody signed; OpenSSL does not object.
            raise UsageError(f"{where} is no key that signs: its point is of small order, or has another encoding")
        return cls(raw)


class Secret(Protocol):
    """The private half of a pair, wherever it lies: `cryptography`'s, or one that an agent or a token holds.

    To write one, hold what is needed to find the key; what it signs is verified.
    """

    def sign(self, message: bytes, /) -> bytes:
        """The Ed25519 signature of `message`, 64 bytes. Raises KeyLocked or KeyUnreachable."""
        ...


@dataclass(frozen=True, eq=False)
class SigningKey:
    """The secret half: signs. Nothing prints it."""

    public: PublicKey
    _secret: Secret = field(repr=False)

    @classmethod
    def of(cls, private: Ed25519PrivateKey) -> SigningKey:
        return cls(PublicKey(private.public_key().public_bytes_raw()), private)

    @classmethod
    def generate(cls) -> SigningKey:
        return cls.of(Ed25519PrivateKey.generate())

    @property
    def id(self) -> str:
        return self.public.id

    def sign(self, message: bytes) -> bytes:
        """The signature of `message` (64 bytes); the same every time.

        Raises KeyLocked or KeyUnreachable if the private half lies elsewhere and does not sign.
        """
        signature = self._secret.sign(message)
        if not self.public.verifies(signature, message):
            raise KeyUnreachable(f"what should sign as {self.id} gave another signature", hint="edgekit keys list")
        return signature

    def check(self) -> None:
        """Sign what is no manifest, so that a key that is locked or gone is told before a build. Raises as `sign`."""
        self.sign(b"edgekit: can this key sign?\n")

    def to_pem(self, passphrase: bytes | None = None) -> bytes:
        """PKCS #8, for a file that only its owner reads. Raises UsageError if the private half lies elsewhere."""
        if not isinstance(self._secret, Ed25519PrivateKey):
            raise UsageError(f"the private half of {self.id} cannot be copied from where it lies")
        coding = serialization.Encoding.PEM if passphrase is None else serialization.Encoding.DER
        plain = serialization.NoEncryption()
        secret = self._secret.private_bytes(coding, serialization.PrivateFormat.PKCS8, plain)
        return secret if passphrase is None else encryption.encrypt(secret, passphrase)

    @classmethod
    def from_pem(cls, pem: bytes, where: str, passphrase: Passphrase = from_file) -> SigningKey:
        """The key in the text of a `.key` file; `passphrase` is called if it is encrypted.

        Raises UsageError, naming `where`, for anything else, and KeyLocked if the passphrase is wrong or missing.
        """
        locked = encryption.MARK in pem
        password = passphrase(f"the key {where}") if locked else None
        try:
            key = serialization.load_pem_private_key(pem, password=password)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            if locked:
                raise KeyLocked(f"that is not the passphrase of the key {where}, or it is damaged") from error
            raise UsageError(f"{where} is no private key in PEM form", hint="edgekit keys new NAME") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise UsageError(f"{where} is not an Ed25519 key", hint="edgekit keys new NAME")
        return cls.of(key)


def write_signature(key: SigningKey, message: bytes) -> bytes:
    """`manifest.sig`: the key's id and its signature of `message`."""
    return b"%s %s\n" % (key.id.encode(), base64.b64encode(key.sign(message)))


def add_signature(written: bytes, key: SigningKey, message: bytes) -> bytes:
    """`manifest.sig` with one more signature; the same if the key signed already. Raises SignatureError, UsageError."""
    lines = {signer: line for signer, _, line in _read(written)} | {key.id: write_signature(key, message)}
    if len(lines) > MAX_SIGNATURES:
        raise UsageError(f"it has {MAX_SIGNATURES} signatures, no more fit", hint="let one of its signers pack it")
    return b"".join(lines[signer] for signer in sorted(lines))


def select_signatures(written: bytes, signers: Iterable[str]) -> bytes:
    """`manifest.sig` with the lines of these signers alone, by id. Raises SignatureError if it is damaged."""
    kept = frozenset(signers)
    return b"".join(line for signer, _, line in _read(written) if signer in kept)


def signer_ids(written: bytes) -> tuple[str, ...]:
    """Who is said to have signed, sorted: a line whose key is not known proves nothing. Raises SignatureError."""
    return tuple(signer for signer, _, _ in _read(written))


def check_signature(written: bytes, message: bytes, trusted: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
    """The trusted keys that signed `message`, sorted by id; other people's signatures beside theirs are passed over.

    Raises UntrustedKey if none is among `trusted`, and SignatureError if one did not sign these bytes.
    """
    signatures = {signer: signature for signer, signature, _ in _read(written)}
    named = [key for key in dict.fromkeys(trusted) if key.id in signatures]
    if not named:
        raise UntrustedKey(
            f"it is signed by {', '.join(signatures)}, which is not among your keys",
            hint="edgekit keys trust FILE.pub, with the public key of whoever packed it",
        )
    for key in named:
        if not key.verifies(signatures[key.id], message):
            raise SignatureError(f"its manifest is not what {key.id} signed")
    return tuple(sorted(named, key=lambda key: key.id))


def _read(written: bytes) -> list[tuple[str, bytes, bytes]]:
    """Id, signature and line of each signer, of the one writing that there is of them."""
    lines = written.splitlines(keepends=True)
    matches = [match for match in map(_WRITTEN.fullmatch, lines) if match]
    found = [(match[1].decode(), base64.b64decode(match[2]), match[0]) for match in matches]
    plain = all(base64.b64encode(base64.b64decode(match[2])) == match[2] for match in matches)
    ids = [signer for signer, _, _ in found]
    if not plain or not 1 <= len(found) == len(lines) <= MAX_SIGNATURES or ids != sorted(set(ids)):
        raise SignatureError("its signature is damaged")
    return found
