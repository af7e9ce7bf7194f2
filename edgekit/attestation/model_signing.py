"""OpenSSF Model Signing 1.0: the digests of a model's files, signed, in a Sigstore bundle v0.3.

A statement names each file, or each part of a file, with its digest; its subject is the SHA-256 over all these digests
in their order. Signatures by a key are read and written; those by a certificate or by Sigstore's service are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edgekit.attestation.dsse import IN_TOTO, Envelope
from edgekit.attestation.statement import MAX_VALUES, Statement, StatementSubject
from edgekit.untrusted import json_text

PREDICATE = "https://model_signing/signature/v1.0"
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
HASHES = ("sha256", "blake2b")
"""Digests of the standard that are in Python's library; `blake3` is not."""
Method = Literal["files", "shards"]


@dataclass(frozen=True)
class Resource:
    """One file, `weights.safetensors`, or a part of one, `weights.safetensors:0:1000`; `.` is a model of one file."""

    name: str
    digest: str
    """Digest in hex."""


@dataclass(frozen=True)
class ModelDigests:
    """Digests of every file of a model, and the way in which they were made."""

    name: str
    resources: tuple[Resource, ...]
    hash_type: str = "sha256"
    method: Method = "files"
    symlinks: bool = False
    """True if symbolic links to files were followed; else the model has none."""
    ignored: tuple[str, ...] = ()
    """Paths, relative to the model, that were left out, with all that is in them."""

    @property
    def root_sha256(self) -> str:
        """SHA-256 over all digests, in hex. Raises ValueError for a digest that is not hexadecimal."""
        return hashlib.sha256(b"".join(bytes.fromhex(each.digest) for each in self.resources)).hexdigest()

    def to_statement(self) -> Statement:
        """Statement of a model in whole files, which is what is signed."""
        serialization = {
            "method": "files",
            "hash_type": self.hash_type,
            "allow_symlinks": self.symlinks,
            "ignore_paths": list(self.ignored),
        }
        resources = [{"name": each.name, "algorithm": self.hash_type, "digest": each.digest} for each in self.resources]
        predicate = {"serialization": serialization, "resources": resources}
        return Statement((StatementSubject(self.name, self.root_sha256),), PREDICATE, predicate)

    @classmethod
    def of(cls, statement: Statement) -> ModelDigests:
        """Read a statement. Raises ValueError if it is of another type, contradicts itself, or has another digest."""
        if statement.predicate_type != PREDICATE:
            raise ValueError(f"it says '{statement.predicate_type}', and not '{PREDICATE}'")
        made, listed = (statement.predicate.get(name) for name in ("serialization", "resources"))
        if not isinstance(made, dict) or not isinstance(listed, list) or not listed or len(statement.subjects) != 1:
            raise ValueError("it does not say which files were signed, and how")
        method, hash_type = made.get("method"), made.get("hash_type")
        if method not in ("files", "shards"):
            raise ValueError(f"its files were digested by the method '{method}', which is neither 'files' nor 'shards'")
        if hash_type not in HASHES:
            raise ValueError(f"its digests are by '{hash_type}', and {' and '.join(HASHES)} are known here")
        ignored = made.get("ignore_paths") or []
        if not isinstance(ignored, list) or not all(isinstance(each, str) for each in ignored):
            raise ValueError("the paths that it leaves out are no list of names")
        subject = statement.subjects[0]
        digests = cls(
            name=subject.name,
            resources=tuple(_resource(each) for each in listed),
            hash_type=hash_type,
            method=method,
            symlinks=made.get("allow_symlinks") is True,
            ignored=tuple(ignored),
        )
        if len({each.name for each in digests.resources}) != len(listed):
            raise ValueError("it names a file twice")
        if digests.root_sha256 != subject.sha256:
            raise ValueError("its digest of the whole model is not that of the files that it lists")
        return digests


def sigstore_bundle(envelope: Envelope, key_hint: str) -> bytes:
    """Write a Sigstore bundle around an envelope. key_hint: SHA-256 of the public key in PEM, in hex."""
    values = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": key_hint}, "tlogEntries": []},
        "dsseEnvelope": envelope.to_json(),
    }
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


def read_bundle(content: bytes) -> tuple[Envelope, str]:
    """Read a Sigstore bundle: the envelope, and the hint of its key, or "". Raises ValueError.

    Nothing is verified.
    """
    values = json_text.loads(content, MAX_VALUES)
    kind = values.get("mediaType") if isinstance(values, dict) else None
    if kind != MEDIA_TYPE:
        raise ValueError(f"it is no Sigstore bundle of the type '{MEDIA_TYPE}'")
    material = values.get("verificationMaterial")
    if not isinstance(material, Mapping) or not isinstance(material.get("publicKey"), Mapping):
        raise ValueError("it was signed by a certificate or by Sigstore's service, and not by a key")
    hint = material["publicKey"].get("hint")
    envelope = Envelope.from_json(values.get("dsseEnvelope"))
    if envelope.payload_type != IN_TOTO:
        raise ValueError(f"its payload is of the type '{envelope.payload_type}', and not '{IN_TOTO}'")
    return envelope, hint if isinstance(hint, str) else ""


def _resource(values: Any) -> Resource:
    name, digest = (values.get("name"), values.get("digest")) if isinstance(values, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(digest, str):
        raise ValueError("it lists a file without a name or a digest")
    return Resource(name, digest.lower())
