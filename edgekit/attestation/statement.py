"""In-toto statement v1: files by digest, and a predicate that says something about them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.untrusted import json_text

TYPE = "https://in-toto.io/Statement/v1"
MAX_VALUES = 1_000_000
"""Most values of a statement that is read: a large model in shards has some ten thousand resources."""


@dataclass(frozen=True)
class StatementSubject:
    """File or folder that a statement is about: name, and SHA-256 in hex."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Statement:
    """Subjects, and a predicate of the type that its URI names."""

    subjects: tuple[StatementSubject, ...]
    predicate_type: str
    predicate: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """Encode as canonical JSON: keys sorted, no spaces, ASCII. The same statement gives the same bytes."""
        values = {
            "_type": TYPE,
            "subject": [{"name": each.name, "digest": {"sha256": each.sha256}} for each in self.subjects],
            "predicateType": self.predicate_type,
            "predicate": self.predicate,
        }
        return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def parse(cls, payload: bytes) -> Statement:
        """Read a statement. Raises ValueError for anything else."""
        values = json_text.loads(payload, MAX_VALUES)
        if not isinstance(values, dict) or values.get("_type") != TYPE:
            raise ValueError("its payload is no in-toto statement v1")
        subjects, kind, predicate = (values.get(name) for name in ("subject", "predicateType", "predicate"))
        if not isinstance(subjects, list) or not isinstance(kind, str) or not isinstance(predicate, dict):
            raise ValueError("its statement lacks a subject, a predicate or its type")
        return cls(tuple(map(_subject, subjects)), kind, predicate)


def _subject(values: object) -> StatementSubject:
    digest = values.get("digest") if isinstance(values, dict) else None
    sha256 = digest.get("sha256") if isinstance(digest, dict) else None
    if not isinstance(sha256, str) or not isinstance(values, dict):
        raise ValueError("a subject of its statement has no SHA-256")
    name = values.get("name")
    return StatementSubject(name if isinstance(name, str) else "", sha256)
