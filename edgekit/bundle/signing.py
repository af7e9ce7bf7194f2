"""Ed25519 keys, and signatures in their one encoding: lines `ed25519:<key id> <base64>`, sorted by id."""

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
"""Size in bytes of a line of `manifest.sig`."""
MAX_SIGNATURES = 8
_WRITTEN = re.compile(rb"(ed25519:[0-9a-f]{16}) ([A-Za-z0-9+/]{86}==)\n")


@dataclass(frozen=True)
class PublicKey:
    """Public half of a pair: verifies."""

    raw: bytes
    """32 bytes, as RFC 8032 encodes them."""

    @property
    def id(self) -> str:
        """Id, which people compare: the first 16 hex digits of the SHA-256 of `raw`."""
        return f"ed25519:{hashlib.sha256(self.raw).hexdigest()[:16]}"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Verify that this key signed `message`, by the rule of devices: a key of small order verifies nothing."""
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
        """Parse a `.pub` file, edgekit's or OpenSSH's. Raises UsageError, naming `where`, for any other text."""
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
    """Private half of a pair, wherever it is stored: `cryptography`'s, or one in an agent or a token.

    To write one, for another place of keys:

    1. Write a class that holds what finds the key there, and no key material; give it `sign`.
    2. Return the plain Ed25519 signature (RFC 8032) of the message itself, not of a hash. `SigningKey` verifies it.
    3. Raise KeyLocked if a passphrase or PIN is wrong or missing, KeyUnreachable for every other failure, within a
       time limit of your own.
    4. Give its URIs a scheme in `bundle/key_uri`.

        @dataclass(frozen=True)
        class VaultKey:
            address: str

            def sign(self, message: bytes, /) -> bytes:
                try:
                    return vault_client(self.address, timeout=10).sign_ed25519(message)
                except VaultError as error:
                    raise KeyUnreachable(f"the vault did not sign: {error}", hint="vault status") from error

        key = SigningKey(public, VaultKey("https://vault.local"))
    """

    def sign(self, message: bytes, /) -> bytes:
        """Ed25519 signature of `message`, 64 bytes. Raises KeyLocked or KeyUnreachable."""
        ...


@dataclass(frozen=True, eq=False)
class SigningKey:
    """A pair that signs. The private half is not in its repr."""

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
        """Sign `message`: 64 bytes, the same every time.

        Raises KeyLocked or KeyUnreachable if the private half is elsewhere and does not sign.
        """
        signature = self._secret.sign(message)
        if not self.public.verifies(signature, message):
            raise KeyUnreachable(f"what should sign as {self.id} gave another signature", hint="edgekit keys list")
        return signature

    def check(self) -> None:
        """Sign a text that is no manifest, so that a locked or missing key is reported before a build.

        Raises as `sign`.
        """
        self.sign(b"edgekit: can this key sign?\n")

    def to_pem(self, passphrase: bytes | None = None) -> bytes:
        """Encode as PKCS #8 in PEM, for a file that only its owner reads. Raises UsageError if the key is elsewhere."""
        if not isinstance(self._secret, Ed25519PrivateKey):
            raise UsageError(f"the private half of {self.id} cannot be copied from where it lies")
        coding = serialization.Encoding.PEM if passphrase is None else serialization.Encoding.DER
        plain = serialization.NoEncryption()
        secret = self._secret.private_bytes(coding, serialization.PrivateFormat.PKCS8, plain)
        return secret if passphrase is None else encryption.encrypt(secret, passphrase)

    @classmethod
    def from_pem(cls, pem: bytes, where: str, passphrase: Passphrase = from_file) -> SigningKey:
        """Parse a `.key` file; `passphrase` is called if it is encrypted.

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
    """Make `manifest.sig`: the key's id and its signature of `message`."""
    return b"%s %s\n" % (key.id.encode(), base64.b64encode(key.sign(message)))


def add_signature(written: bytes, key: SigningKey, message: bytes) -> bytes:
    """Add a signature to `manifest.sig`; the same if the key signed already. Raises SignatureError, UsageError."""
    lines = {signer: line for signer, _, line in _read(written)} | {key.id: write_signature(key, message)}
    if len(lines) > MAX_SIGNATURES:
        raise UsageError(f"it has {MAX_SIGNATURES} signatures, no more fit", hint="let one of its signers pack it")
    return b"".join(lines[signer] for signer in sorted(lines))


def select_signatures(written: bytes, signers: Iterable[str]) -> bytes:
    """Select the lines of these signers, by id, in `manifest.sig`. Raises SignatureError if it is damaged."""
    kept = frozenset(signers)
    return b"".join(line for signer, _, line in _read(written) if signer in kept)


def signer_ids(written: bytes) -> tuple[str, ...]:
    """Ids in `manifest.sig`, sorted. Nothing is verified: anybody can add a line. Raises SignatureError."""
    return tuple(signer for signer, _, _ in _read(written))


def check_signature(written: bytes, message: bytes, trusted: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
    """Verify `manifest.sig`, and return the trusted keys that signed `message`, sorted by id. Other keys are skipped.

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
    """Parse `manifest.sig`: id, signature and line of each signer. Raises SignatureError for any other encoding."""
    lines = written.splitlines(keepends=True)
    matches = [match for match in map(_WRITTEN.fullmatch, lines) if match]
    signatures = [(match[1].decode(), base64.b64decode(match[2]), match[0]) for match in matches]
    plain = all(base64.b64encode(base64.b64decode(match[2])) == match[2] for match in matches)
    ids = [signer for signer, _, _ in signatures]
    if not plain or not 1 <= len(signatures) == len(lines) <= MAX_SIGNATURES or ids != sorted(set(ids)):
        raise SignatureError("its signature is damaged")
    return signatures
