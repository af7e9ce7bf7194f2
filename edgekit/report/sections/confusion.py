"""Section on the confusion of classes: which class is answered for which, and what compression changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edgekit.ir.plural import counted
from edgekit.parity.confusion import Confusion, ConfusionCell
from edgekit.report.sections.charts import MatrixCell, MatrixChart
from edgekit.report.sections.section import Row, Section, section, shown

DRAWN = 20
"""Most classes of a matrix that is drawn: more are told as the cells that changed most."""
LISTED = 12
"""Rows of the table."""


def confusion_section(record: Confusion | None) -> Section | None:
    """Section on the confusion of classes; None where there is none, or but one class."""
    if record is None or record.classes < 2:
        return None
    changed = sorted(
        (cell for cell in record.cells if cell.reference != cell.candidate),
        key=lambda cell: -abs(cell.candidate - cell.reference),
    )
    rows = [_row(record, cell) for cell in (changed or _wrong(record))[:LISTED]]
    return section(
        "Which class is taken for which",
        ("label", "answered as", "reference", "candidate", "change"),
        rows,
        _notes(record, len(changed)),
        first=(_sentence(record, changed),),
        picture=_picture(record),
    )


def _wrong(record: Confusion) -> list[ConfusionCell]:
    """Cells of the candidate's wrong answers, the most frequent first."""
    wrong = (cell for cell in record.cells if cell.label != cell.answer and cell.candidate)
    return sorted(wrong, key=lambda cell: -cell.candidate)


def _name(record: Confusion, index: int) -> str:
    return record.names[index] if index < len(record.names) else f"class {index}"


def _row(record: Confusion, cell: ConfusionCell) -> Row:
    change = f"{cell.candidate - cell.reference:+,}"
    names = (_name(record, cell.label), _name(record, cell.answer))
    return (*names, f"{cell.reference:,}", f"{cell.candidate:,}", change)


def _sentence(record: Confusion, changed: list[ConfusionCell]) -> str:
    wrong = _wrong(record)
    if not wrong:
        return "The candidate takes no class for another."
    worst = wrong[0]
    common = f"Most often '{_name(record, worst.label)}' is answered as '{_name(record, worst.answer)}'"
    count = f"{counted(worst.candidate, 'time')}, {worst.reference:,} by the reference"
    same = "" if changed else " Each confusion is as frequent as before."
    return f"{common}: {count}.{same}"


def _notes(record: Confusion, changed: int) -> Iterable[str]:
    if changed > LISTED:
        yield f"Of {changed:,} cells that changed the {LISTED} that changed most are shown; report.json has all."
    if record.left_out:
        yield f"{record.left_out:,} cells that changed less are in no table."


def _picture(record: Confusion) -> MatrixChart | None:
    if record.classes > DRAWN or record.left_out:
        return None
    cells = {(cell.label, cell.answer): cell for cell in record.cells}
    names = tuple(shown(_name(record, index)) for index in range(record.classes))
    rows = tuple(_matrix_row(record, cells, label) for label in range(record.classes))
    words = "Confusion matrix of the candidate: a row a label, a column an answer."
    return MatrixChart(words, names, rows)


def _matrix_row(
    record: Confusion, cells: Mapping[tuple[int, int], ConfusionCell], label: int
) -> tuple[MatrixCell, ...]:
    row = [cells.get((label, answer)) for answer in range(record.classes)]
    total = sum(cell.candidate for cell in row if cell)
    return tuple(_matrix_cell(record, cell, label, answer, total) for answer, cell in enumerate(row))


def _matrix_cell(record: Confusion, cell: ConfusionCell | None, label: int, answer: int, total: int) -> MatrixCell:
    count, before = (cell.candidate, cell.reference) if cell else (0, 0)
    # A single error among hundreds is seen, too.
    level = max(1, round(9 * count / total)) if count and total else 0
    change = "" if count == before else f", {count - before:+,} against the reference"
    where = f"'{_name(record, label)}' answered as '{_name(record, answer)}'"
    return MatrixCell(count, count - before, level, shown(f"{where}: {count:,}{change}"))
