"""P-256 public key of whoever signed a model, as OpenSSF Model Signing has it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edgekit.errors import UsageError

MAX_PEM_BYTES = 1 << 16
"""Bytes of a file in PEM that are read, at most."""
_MAKE_ONE = "openssl ec -in KEY.pem -pubout prints the public half of a P-256 key"


@dataclass(frozen=True)
class EcdsaPublicKey:
    """P-256 key that verifies ECDSA signatures over SHA-256."""

    _key: ec.EllipticCurvePublicKey

    @classmethod
    def from_pem(cls, pem: bytes, where: str) -> EcdsaPublicKey:
        """Parse a public key in PEM. Raises UsageError, naming `where`, for any other text, key or curve."""
        if b"PRIVATE KEY-----" in pem:
            raise UsageError(f"{where} is a private key", hint=_MAKE_ONE)
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise UsageError(f"{where} is no public key in PEM form", hint=_MAKE_ONE) from error
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise UsageError(f"{where} is not a P-256 key", hint=_MAKE_ONE)
        return cls(key)

    @property
    def pem(self) -> bytes:
        """Key in PEM."""
        encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return self._key.public_bytes(encoding, form)

    @property
    def hint(self) -> str:
        """SHA-256 of the key in PEM, in hex, by which a Sigstore bundle names it."""
        return hashlib.sha256(self.pem).hexdigest()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Verify that this key signed `message`. signature: in DER."""
        try:
            self._key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True
