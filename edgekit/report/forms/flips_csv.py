"""Table of the flipped samples as CSV, by the names that they have on the user's disk."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from edgekit.parity.flips import Flip

COLUMNS = ("id", *(field.name for field in fields(Flip)))
"""Columns of the table: the name of the sample, then the fields of `parity.flips.Flip`."""
NUMBERS = ("reference_score", "candidate_score", "reference_margin", "candidate_margin")


def render(flips: Iterable[Flip], ids: Sequence[str] | None) -> str:
    """Table with a line a sample. ids: names of all samples, by their index; None where they are not known."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for flip in flips:
        values = [getattr(flip, name) for name in COLUMNS[1:]]
        table.writerow([ids[flip.sample] if ids else "", *("" if value is None else value for value in values)])
    # Names of files may be no Unicode.
    return text.getvalue().encode("utf-8", "backslashreplace").decode("utf-8")


def read(text: str) -> list[dict[str, Any]]:
    """Rows of a table that `render` wrote, with numbers as numbers and nothing as None. Raises ValueError."""
    rows = csv.DictReader(io.StringIO(text))
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
    return [_typed(row) for row in rows]


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    values = {name: value or None for name, value in row.items() if name in COLUMNS}
    numbers = {name: float(row[name]) for name in NUMBERS if row[name]}
    return {**values, **numbers, "sample": int(row["sample"])}
