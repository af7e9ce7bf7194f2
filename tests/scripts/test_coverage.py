"""`scripts/coverage`: its page holds what was measured, cells are builds, and no end of a cell ends the campaign."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.backends.executorch import ExecuTorch
from scripts.coverage_table.campaign import PROCESSES, Campaign, chosen
from scripts.coverage_table.cell import BACKENDS, PRECISIONS, measured
from scripts.coverage_table.record import Cell, read, write
from scripts.coverage_table.registry import ARCHITECTURES
from scripts.coverage_table.table import page
from tests.scripts.cell_endings import ENDINGS, end

DOCS = Path(__file__).parents[2] / "docs"
MEASURED = Cell("tabular", "onnx", "int8", "works", "tree", sqnr_db=31.4, integer_macs=1.0, kernels=4)
MEASURED = replace(MEASURED, failed=("agreement",))


def test_the_page_is_made_of_the_records_and_names_every_architecture() -> None:
    text = (DOCS / "coverage.md").read_text("utf-8")
    assert text == page(read(DOCS / "coverage.jsonl"))
    assert not [name for name in ARCHITECTURES if f"\n| {name} |" not in text]


def test_a_record_is_read_as_it_was_written_and_the_last_of_a_cell_counts(tmp_path: Path) -> None:
    path, later = tmp_path / "cells.jsonl", Cell("tabular", "onnx", "int8", "refused", code="EK205", message="0x12")
    path.write_text(f"{MEASURED.to_json()}\n{later.to_json()}\n{MEASURED.to_json()[:40]}")
    assert read(path) == {later.key: later}
    assert later.opaque
    assert not MEASURED.opaque
    write(path, [MEASURED])
    assert read(path) == {MEASURED.key: MEASURED}


def test_the_page_shows_figures_and_reasons() -> None:
    refused = Cell("tabular", "tflite", "int8", "refused", code="EK206", message="no kernel for 'Erf' in 'head'")
    killed = Cell("gru-1", "tflite", "int8", "crashed", message="killed by SIGKILL")
    text = page({cell.key: cell for cell in (MEASURED, refused, killed)})
    assert "| tabular | … | 31.4 dB !; 100% / 0%; 0.0%; 0.00; 4 | **EK206** |" in text
    undecided = replace(MEASURED, undecided=("agreement",), samples=24, integer_macs=0.84, float_only=0.14)
    assert "31.4 dB ?; 84% of 86% / 0%" in page({MEASURED.key: undecided})
    assert "| EK206 | no kernel for 'Erf' in 'head' | tabular: tflite int8 |" in text
    assert "| crashed, opaque | killed by SIGKILL | gru-1: tflite int8 |" in text
    assert f"| int8, tflite | 2 of {len(ARCHITECTURES)} | 0 | 1 | 1 | 0 |" in text


def test_cells_of_one_architecture_and_backend_follow_each_other() -> None:
    assert list(chosen(["tcn"], ["onnx"], [])) == [("tcn", "onnx", precision) for precision in PRECISIONS]
    assert len(set(chosen([], [], []))) == len(ARCHITECTURES) * len(BACKENDS) * len(PRECISIONS)


@pytest.fixture
def _imported_once() -> None:
    """Have the processes of cells begin with what they import, as a campaign does."""
    PROCESSES.set_forkserver_preload(["scripts.coverage_table.campaign", "tests.scripts.cell_endings"])


@pytest.mark.usefixtures("_imported_once")
def test_no_end_of_a_cell_ends_the_campaign(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("now")
    records = tmp_path / "cells.jsonl"
    row = [("tcn", "onnx", ending) for ending in (*ENDINGS, "also works")]
    hangs = Campaign(records, tmp_path, 1.0, 2, end).measure([("tcn", "onnx", "hangs")])
    cells = {cell.precision: cell for cell in (*Campaign(records, tmp_path, 120.0, 2, end).measure(row), *hangs)}
    assert {ending: cell.outcome for ending, cell in cells.items()} == {
        **ENDINGS,
        "also works": "works",
        "hangs": "timeout",
    }
    assert cells["killed"].message == "the process was killed by SIGKILL"
    assert cells["raises"].message == "KeyError: 'conv'"
    assert read(records) == {cell.key: cell for cell in cells.values()}


@pytest.mark.usefixtures("_imported_once")
def test_a_campaign_measures_what_is_missing_or_out_of_date(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("later")
    records, known = tmp_path / "cells.jsonl", replace(MEASURED, source="now")
    write(records, [known])
    Campaign(records, tmp_path, 120.0, 2, end, {"tabular": "now"}).run([known.key])
    assert read(records) == {known.key: known}
    missing = ("tabular", "tflite", "int8")
    Campaign(records, tmp_path, 120.0, 2, end, {"tabular": "later"}).run([known.key, missing])
    assert read(records) == {key: Cell(*key, "works", "later") for key in (known.key, missing)}


@pytest.mark.lowers
@pytest.mark.builds
@pytest.mark.filterwarnings("ignore")  # torchao and converters warn of their own code
def test_a_cell_is_a_build_that_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [measured("tabular", backend, "int8", tmp_path) for backend in BACKENDS]
    assert [(cell.message, cell.outcome, cell.integer_macs, cell.fallback) for cell in cells] == [
        ("", "works", 1.0, 0.0)
    ] * 3
    assert all(cell.sqnr_db is not None and cell.sqnr_db > 20 for cell in cells)
    assert [(cell.delegates, cell.kernels) for cell in cells] == [(1, 0), (0, 4), (1, 0)]
    assert all(cell.reference is not None and cell.reference > 0.85 for cell in cells)
    monkeypatch.setattr(ExecuTorch, "refuses", {"float16": "this test says so"})
    refused = measured("tabular", "executorch", "float16", tmp_path)
    assert (refused.outcome, refused.code, refused.opaque) == ("refused", "EK103", False)
