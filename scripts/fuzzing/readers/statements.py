"""Readers of signed models, histories of devices, and records of failures."""

from __future__ import annotations

import json
from pathlib import Path

from edgekit.attestation.dsse import Envelope, EnvelopeSignature
from edgekit.attestation.ecdsa_key import EcdsaPublicKey
from edgekit.attestation.model_signing import ModelDigests, Resource, read_bundle, sigstore_bundle
from edgekit.attestation.statement import Statement
from edgekit.errors import SourceSignatureError
from edgekit.evidence.device_history import read_histories
from edgekit.report.failure_record import FailureRecord, read_failure
from scripts.fuzzing.readers.reader import Reader, Readers

DIGESTS = ModelDigests("net", (Resource("model.bin", "ab" * 32), Resource("a/b.json", "cd" * 32)), ignored=(".git",))
PEM = b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7L
tkBoN79R9Q==
-----END PUBLIC KEY-----
"""
"""Base point of P-256."""


def readers(folder: Path) -> Readers:
    statement = DIGESTS.to_statement().to_bytes()
    bundle = sigstore_bundle(Envelope(statement, (EnvelopeSignature("", b"x"),)), "ab" * 32)
    event = {"digest": "0" * 64, "when": "2026-11-28T12:00:00Z", "verdict": "rolled back", "detail": {"gate": "x"}}
    history = json.dumps({"schema": 1, "device": "pi", "history": [event]}).encode()
    names = dict.fromkeys(("project", "target", "backend", "profile", "code", "message"), "x")
    failure = FailureRecord(schema_version=1, **names).to_json().encode()
    return {
        "signature of a model": Reader(_signature, (bundle,)),
        "statement on a model": Reader(_statement, (statement,)),
        "key of a publisher": Reader(lambda path: EcdsaPublicKey.from_pem(path.read_bytes(), "it"), (PEM,)),
        "history": Reader(lambda path: read_histories(path, "0" * 64), (history,)),
        "failure": Reader(read_failure, (failure,)),
    }


def _signature(path: Path) -> object:
    """Read a bundle as `verify_source` does, which tells what is none by its own error."""
    try:
        return read_bundle(path.read_bytes())
    except ValueError as error:
        raise SourceSignatureError(str(error), hint="none") from error


def _statement(path: Path) -> object:
    try:
        return ModelDigests.of(Statement.parse(path.read_bytes()))
    except ValueError as error:
        raise SourceSignatureError(str(error), hint="none") from error
