"""One fact: words, and the file and key that they stand in."""

from __future__ import annotations

from dataclasses import dataclass

REPORT = "facts/report.json"
MANIFEST = "facts/manifest.json"
SIGNATURE = "facts/manifest.sig"
CARD = "facts/data-card.json"
HISTORY = "facts/history.json"
BOM = "bom.cdx.json"
PROVENANCE = "provenance.intoto.jsonl"
MODEL_CARD = "model-card.md"


@dataclass(frozen=True)
class Fact:
    """Fact that answers requirements."""

    name: str
    words: str
    file: str
    """Path in the folder of evidence."""
    key: str
    """Key in that file, dotted; empty for the whole file."""
