"""Tables of docs/accelerators.md between its marks: outcomes by backend, kind and precision, and what was tried."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgekit.specs.accelerator_kind import KINDS
from edgekit.specs.target import PRECISIONS
from scripts.accelerator_table.cell import CATALOG, Cell, cells
from scripts.accelerator_table.document import DOCUMENT, Section
from scripts.accelerator_table.outcome import Outcome

SECTION = Section("matrix")


def text(outcomes: Mapping[Cell, Outcome]) -> str:
    """Both tables, and the sentences of errors, as Markdown."""
    rows = ["| files of | accelerator | " + " | ".join(PRECISIONS) + " |", "|---" * (2 + len(PRECISIONS)) + "|"]
    sentences: dict[tuple[str, str], str] = {}
    for cell, outcome in outcomes.items():
        if outcome.sentence:
            sentences.setdefault((outcome.words, outcome.sentence), str(cell))
    for backend, kind in dict.fromkeys((cell.backend, cell.kind) for cell in outcomes):
        row = [outcomes[Cell(backend, kind, precision)].words for precision in PRECISIONS]
        rows.append(f"| {backend} | `{kind}` | " + " | ".join(row) + " |")
    errors = ["| code | first in | what is told |", "|---|---|---|"]
    errors += [f"| {code} | {where} | {_cell(sentence)} |" for (code, sentence), where in sentences.items()]
    return "\n".join([*rows, "", *errors, "", *trials(), ""])


def trials() -> list[str]:
    """Rows on what was tried, from the files of the kinds."""
    rows = ["| accelerator | files of | tried with | came of it | message |", "|---|---|---|---|---|"]
    for kind in KINDS:
        for trial in CATALOG.accelerator(kind).trial:
            told = f"`{trial.told}`" if trial.told else ""
            came = f"{trial.outcome}: {trial.because}"
            rows.append(f"| `{kind}` | {trial.backend} | {trial.versions} | {_cell(came)} | {told} |")
    return rows


def recorded(document: Path = DOCUMENT) -> dict[Cell, str]:
    """Words of every cell, as the document has them. Raises KeyError for a cell that it lacks."""
    lines = SECTION.read(document).strip().partition("\n\n")[0].splitlines()
    table: dict[tuple[str, str, str], str] = {}
    for line in lines[2:]:
        backend, kind, *row = (part.strip() for part in line.strip("|").split("|"))
        table |= {(backend, kind.strip("`"), name): words for name, words in zip(PRECISIONS, row, strict=True)}
    return {cell: table[cell.backend, cell.kind, cell.precision] for cell in cells()}


def write(outcomes: Mapping[Cell, Outcome], document: Path = DOCUMENT) -> None:
    """Replace what stands between the marks of the document."""
    SECTION.write(text(outcomes), document)


def _cell(sentence: str) -> str:
    return " ".join(sentence.split()).replace("|", "\\|")
