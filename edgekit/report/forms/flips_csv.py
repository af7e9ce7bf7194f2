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
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a text that spreadsheets take for a formula, and run (CWE-1236)."""
QUOTE = "'"
"""Character before such a text: spreadsheets then show it as it is."""
NUMBERS = ("reference_score", "candidate_score", "reference_margin", "candidate_margin")


def render(flips: Iterable[Flip], ids: Sequence[str] | None) -> str:
    """Table with a line a sample. ids: names of all samples, by their index; None where they are not known.

    A text that a spreadsheet would run has a quote before it, which `read` takes away.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for flip in flips:
        values = [getattr(flip, name) for name in COLUMNS[1:]]
        table.writerow([_cell(value) for value in (ids[flip.sample] if ids else None, *values)])
    # Names of files may be no Unicode.
    return text.getvalue().encode("utf-8", "backslashreplace").decode("utf-8")


def read(text: str) -> list[dict[str, Any]]:
    """Rows of a table that `render` wrote, with numbers as numbers and nothing as None. Raises ValueError."""
    rows = csv.DictReader(io.StringIO(text))
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
    return [_typed(row) for row in rows]


def _cell(value: Any) -> Any:
    """Cell of a value: numbers as they are, though some begin with a minus, and texts of numbers."""
    if not isinstance(value, str):
        return "" if value is None else value
    is_risky = value.startswith(QUOTE) or (value.startswith(FORMULA) and not _is_number(value))
    return QUOTE + value if is_risky else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _text(cell: str | None) -> str | None:
    return cell[len(QUOTE) :] if cell and cell.startswith(QUOTE) else cell or None


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    values = {name: _text(value) for name, value in row.items() if name in COLUMNS}
    numbers = {name: float(row[name]) for name in NUMBERS if row[name]}
    return {**values, **numbers, "sample": int(row["sample"])}
