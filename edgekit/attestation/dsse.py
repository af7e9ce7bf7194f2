"""DSSE envelope: a payload, its type, and signatures over both (Dead Simple Signing Envelope, protocol 1.0.2)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

IN_TOTO = "application/vnd.in-toto+json"
"""Payload type of an in-toto statement."""
MAX_SIGNATURES = 16


class Signer(Protocol):
    """Key that signs bytes, such as `bundle.signing.SigningKey`: an id, and a signature of a message."""

    @property
    def id(self) -> str: ...

    def sign(self, message: bytes, /) -> bytes: ...


@dataclass(frozen=True)
class EnvelopeSignature:
    """One signature of an envelope. The key id is a hint: nothing vouches for it."""

    key_id: str
    raw: bytes


@dataclass(frozen=True)
class Envelope:
    """A payload with its signatures; none of them is verified by being here."""

    payload: bytes
    signatures: tuple[EnvelopeSignature, ...]
    payload_type: str = IN_TOTO

    @classmethod
    def signed(cls, payload: bytes, key: Signer) -> Envelope:
        """Sign an in-toto statement. Raises what the key raises."""
        return cls(payload, (EnvelopeSignature(key.id, key.sign(pae(payload))),))

    @property
    def message(self) -> bytes:
        """Bytes that each signature is of."""
        return pae(self.payload, self.payload_type)

    def to_json(self) -> dict[str, Any]:
        """Values of the JSON form."""
        return {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [
                {"keyid": each.key_id, "sig": base64.b64encode(each.raw).decode()} for each in self.signatures
            ],
        }

    @classmethod
    def from_json(cls, values: object) -> Envelope:
        """Read the JSON form. Raises ValueError for anything else."""
        if not isinstance(values, Mapping) or not isinstance(values.get("payloadType"), str):
            raise ValueError("it holds no DSSE envelope")
        signatures = values.get("signatures")
        if not isinstance(signatures, list) or not 1 <= len(signatures) <= MAX_SIGNATURES:
            raise ValueError(f"its envelope has no signature, or more than {MAX_SIGNATURES}")
        return cls(
            _decoded(values.get("payload"), "payload"), tuple(map(_signature, signatures)), values["payloadType"]
        )


def pae(payload: bytes, payload_type: str = IN_TOTO) -> bytes:
    """Pre-authentication encoding: the bytes that are signed, so that no payload passes for one of another type."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _signature(values: object) -> EnvelopeSignature:
    if not isinstance(values, Mapping):
        raise ValueError("a signature of its envelope is none")
    key_id = values.get("keyid", "")
    return EnvelopeSignature(key_id if isinstance(key_id, str) else "", _decoded(values.get("sig"), "signature"))


def _decoded(text: object, what: str) -> bytes:
    try:
        return base64.b64decode(text if isinstance(text, str) else "-", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"the {what} of its envelope is not base64") from error
