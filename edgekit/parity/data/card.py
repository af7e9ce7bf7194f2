"""Data card: what a bundle says of the data that made the model, without a sample, a path or a name in it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from edgekit.ir.record import Record
from edgekit.parity.data.governance import DataSetRecord, set_rows
from edgekit.untrusted.markdown import cell

JSON = "data-card.json"
MARKDOWN = "data-card.md"
HEADER = ("set", "samples", "licence", "source", "personal data", "duplicates within", "constant", "classes")


class DataCard(Record):
    """Data sets that shaped a model, and the terms of the set that it was judged by."""

    schema_version: Literal[1] = Field(alias="schema")
    model: str
    sets: tuple[DataSetRecord, ...]
    """Sets that the numbers of the model depend on, measured; the evaluation set with its terms alone, because a bundle
    does not depend on how many samples its verdict was made of."""
    allowed: tuple[str, ...] | None = None
    """Licences of the project's policy; left out where it names none."""
    violations: tuple[str, ...] = ()
    """Sentences on sets whose terms the policy does not allow."""

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """Facts that the table of sets does not show: role or subject, and words."""
        rows = []
        for each in self.sets:
            stated = (("SHA-256", each.sha256), ("consent", each.consent), ("note", each.note))
            rows += [(each.role, f"{name}: {words}") for name, words in stated if words]
        if self.allowed is not None:
            rows.append(("policy", f"licences that are allowed: {', '.join(self.allowed)}"))
        return (*rows, *(("NOT ALLOWED", each) for each in self.violations))

    def to_json(self) -> bytes:
        """Canonical JSON: keys sorted, one newline at the end."""
        values = self.model_dump(by_alias=True, mode="json")
        return json.dumps(values, sort_keys=True, indent=1, ensure_ascii=True).encode() + b"\n"

    def to_markdown(self) -> bytes:
        """The same for people."""
        return ("\n".join(_lines(self)) + "\n").encode()


def _lines(card: DataCard) -> Iterable[str]:
    yield f"# Data of {cell(card.model)}"
    yield ""
    yield _row(HEADER)
    yield _row("---" for _ in HEADER)
    yield from (_row(set_rows(each)) for each in card.sets)
    yield ""
    yield from (f"- {cell(subject)}: {cell(words)}" for subject, words in card.notes)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(cell, cells))} |"
