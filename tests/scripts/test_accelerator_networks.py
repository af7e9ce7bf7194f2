"""The table of networks in docs/accelerators.md: as near to the float network as the CPU is, or named below it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.accelerator_table.document import DOCUMENT
from scripts.accelerator_table.network_table import Row, recorded, write
from scripts.accelerator_table.networks import ALIKE_DB, EXACT_DB

ROWS = recorded()
FARTHER = {("BERT-mini", "uint16", "Hexagon v75"), ("BERT-mini", "int8", "LiteRT's GPU")}
"""Rows that lose more than ALIKE_DB, which the page names."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(row[:3]))
def test_an_accelerator_is_as_near_as_the_cpu_or_named(row: Row) -> None:
    if row.loss_db is None:
        assert row.there.startswith("refused, ")
        assert row.operators
        return
    assert (row.loss_db > ALIKE_DB) is (row[:3] in FARTHER), row
    assert row.there_db is not None
    assert (row.there_db > EXACT_DB) is (row.numbers == "float32"), row


def test_every_row_that_is_farther_is_in_the_table() -> None:
    assert {row[:3] for row in ROWS} >= FARTHER


def test_rows_that_are_measured_anew_replace_theirs_and_no_others(tmp_path: Path) -> None:
    page = Path(shutil.copy(DOCUMENT, tmp_path))
    write(ROWS, page)
    assert page.read_text("utf-8") == DOCUMENT.read_text("utf-8")
    refused = Row(*ROWS[0][:3], "", "refused, EK419", "", "it takes 'a | b'")
    write([refused], page)
    first, *others = recorded(page)
    assert (first.there, first.loss_db, first.there_db) == ("refused, EK419", None, None)
    assert first.operators == "it takes 'a / b'"
    assert others == ROWS[1:]
