"""Encryption of a private key by a passphrase: PKCS #8 with PBES2 (RFC 8018), which `openssl pkey` reads as well."""

from __future__ import annotations

import base64
import os
import textwrap

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

MARK = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
ROUNDS = 600_000
"""Iterations of PBKDF2 with HMAC-SHA-256: OWASP, Password Storage Cheat Sheet. OpenSSL's default, 2,048, is weak."""
SEQUENCE, INTEGER, OCTETS, OBJECT = 0x30, 0x02, 0x04, 0x06
# RFC 8018, appendix A and RFC 8017, appendix B.1; NIST's AES: object identifiers as DER has them, and NULL.
PBES2 = bytes.fromhex("2a864886f70d01050d")
PBKDF2 = bytes.fromhex("2a864886f70d01050c")
HMAC_SHA_256 = bytes.fromhex("2a864886f70d0209")
AES_256_CBC = bytes.fromhex("60864801650304012a")
NULL = bytes.fromhex("0500")


def encrypt(pkcs8: bytes, passphrase: bytes) -> bytes:
    """Encrypt a private key in DER: PEM text that only the passphrase opens."""
    salt, vector = os.urandom(16), os.urandom(16)
    key = PBKDF2HMAC(hashes.SHA256(), 32, salt, ROUNDS).derive(passphrase)
    padder, encryptor = padding.PKCS7(128).padder(), Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    secret = encryptor.update(padder.update(pkcs8) + padder.finalize()) + encryptor.finalize()
    rounds = _der(INTEGER, ROUNDS.to_bytes(3, "big"))
    prf = _der(SEQUENCE, _der(OBJECT, HMAC_SHA_256), NULL)
    derivation = _der(SEQUENCE, _der(OBJECT, PBKDF2), _der(SEQUENCE, _der(OCTETS, salt), rounds, prf))
    scheme = _der(SEQUENCE, _der(OBJECT, AES_256_CBC), _der(OCTETS, vector))
    algorithm = _der(SEQUENCE, _der(OBJECT, PBES2), _der(SEQUENCE, derivation, scheme))
    return _pem(_der(SEQUENCE, algorithm, _der(OCTETS, secret)))


def _der(tag: int, *parts: bytes) -> bytes:
    """Encode one element of less than 256 bytes in ASN.1's DER (X.690)."""
    content = b"".join(parts)
    size = bytes([len(content)]) if len(content) < 128 else bytes([0x81, len(content)])
    return bytes([tag]) + size + content


def _pem(der: bytes) -> bytes:
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return b"%s\n%s\n%s\n" % (MARK, "\n".join(lines).encode(), MARK.replace(b"BEGIN", b"END"))
