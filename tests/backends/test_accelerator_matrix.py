"""Backend × accelerator × precision, cell by cell, against the table of docs/accelerators.md."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgekit.runner.errors import RunnerError
from edgekit.runner.model.accelerator import Accelerator
from edgekit.runner.runtimes.select_runtime import open_runtime
from edgekit.specs.accelerator_kind import KINDS
from edgekit.specs.catalog import builtin_root
from scripts.accelerator_table.cell import CATALOG, FORMATS, Cell, cells
from scripts.accelerator_table.document import DOCUMENT
from scripts.accelerator_table.files import Files
from scripts.accelerator_table.outcome import BUILT, Absent, Outcome, early, outcomes
from scripts.accelerator_table.table import recorded, trials, write
from tests.devices.debian_programs import unavailable

pytestmark = pytest.mark.lowers

RECORDED = recorded()
REFUSED = [cell for cell in cells() if RECORDED[cell] in ("EK103", "EK414")]
BUILDS = [cell for cell in cells() if cell not in REFUSED]
NOISE_DB = 10.0
"""dB that two machines may be apart, whose CPUs round otherwise."""
EXACT_DB = 100.0
"""SQNR in dB from which on nothing but float32's own rounding differs."""


@pytest.mark.parametrize("cell", REFUSED, ids=str)
def test_a_cell_that_does_not_work_is_refused_before_anything_is_built(cell: Cell) -> None:
    outcome = early(cell)
    assert outcome
    assert outcome.words == RECORDED[cell]
    assert outcome.sentence in DOCUMENT.read_text()
    trial = cell.trial
    assert trial is None or trial.outcome != "refused" or trial.because in outcome.sentence


@pytest.mark.parametrize("cell", [cell for cell in REFUSED if RECORDED[cell] == "EK414"], ids=str)
def test_nothing_runs_what_is_refused_for_its_accelerator(cell: Cell) -> None:
    with pytest.raises(RunnerError) as told:
        open_runtime(FORMATS[cell.backend], accelerator=Accelerator(cell.kind))
    assert told.value.kind == "accelerator"
    assert cell.trial is None or cell.trial.outcome == "refused"


Run = dict[str, dict[Cell, Outcome]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def run() -> Run:
    """Outcomes by kind, of kinds that were run."""
    return {}


@pytest.mark.parametrize("cell", BUILDS, ids=str)
def test_a_cell_that_is_built_runs_as_recorded_or_is_said_not_to_have_run(cell: Cell, files: Files, run: Run) -> None:
    assert early(cell) is None
    if cell.kind not in run:
        try:
            run[cell.kind] = outcomes(cell.kind, [each for each in BUILDS if each.kind == cell.kind], files)
        except Absent as absent:
            unavailable(str(absent))
    outcome, expected = run[cell.kind][cell], Outcome(RECORDED[cell])
    if expected.sqnr_db is None:
        assert outcome.words == expected.words, outcome.sentence
        assert (outcome.words == BUILT) is cell.is_untried
        return
    assert outcome.sqnr_db is not None, outcome
    assert abs(min(outcome.sqnr_db, EXACT_DB) - min(expected.sqnr_db, EXACT_DB)) <= NOISE_DB
    assert outcome.words.partition(",")[2] == expected.words.partition(",")[2]


def test_the_table_of_what_was_tried_is_that_of_the_kinds() -> None:
    text = DOCUMENT.read_text()
    assert all(row in text for row in trials())
    assert {cell for cell in cells() if cell.trial and cell.trial.outcome == "runs"} <= set(RECORDED)
    for kind in KINDS:
        ran = any(" dB" in words for cell, words in RECORDED.items() if cell.kind == kind)
        assert ran is any(trial.outcome == "runs" for trial in CATALOG.accelerator(kind).trial)
        assert ran is (CATALOG.accelerator(kind).evidence == "emulated")


def test_the_script_writes_what_it_reads_and_nothing_else_of_the_page(tmp_path: Path) -> None:
    page = Path(shutil.copy(builtin_root() / "docs" / "accelerators.md", tmp_path))
    write({cell: Outcome("EK419", "why | so") for cell in cells()}, page)
    assert set(recorded(page).values()) == {"EK419"}
    assert "why \\| so" in page.read_text()
    before, after = (text.read_text().partition("<!-- end -->")[2] for text in (DOCUMENT, page))
    assert before == after
