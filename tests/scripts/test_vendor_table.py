"""`scripts/bench vendor --architecture`: records, intervals and the page of docs/vendors.md."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.ir.sqnr import sqnr_db
from scripts.coverage_table.record import Cell, read_as, write
from scripts.vendor_table import command
from scripts.vendor_table.command import ordered
from scripts.vendor_table.comparison import VendorComparison
from scripts.vendor_table.page import page
from scripts.vendor_table.quality import gain, sqnr_of
from scripts.vendor_table.reasons import reason
from scripts.vendor_table.turns import turns

DOCS = Path(__file__).parents[2] / "docs"
COMPARED = VendorComparison(
    "tabular", "onnx", "int8", "works", sqnr_db=31.4, vendor_sqnr_db=24.6, sqnr_gain_db=(2.0, 8.6), size_bytes=9000,
    vendor_size_bytes=14742, median_us=8.6, vendor_median_us=8.9, time_ratio=(0.965, 0.962, 0.967), fragments="4",
    vendor_fragments="5",
)  # fmt: skip


def test_the_page_is_made_of_the_records() -> None:
    assert (DOCS / "vendors.md").read_text("utf-8") == page(read_as(VendorComparison, DOCS / "vendors.jsonl"))


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "records.jsonl", [COMPARED])
    assert read_as(VendorComparison, tmp_path / "records.jsonl") == {COMPARED.key: COMPARED}


@pytest.mark.parametrize(
    ("change", "behind"),
    [
        ({}, ()),
        ({"sqnr_gain_db": (-2.0, -0.6)}, ("SQNR",)),
        ({"sqnr_gain_db": (-2.0, -0.4)}, ()),
        ({"size_bytes": 16000}, ("size",)),
        ({"size_bytes": 15500}, ()),
        ({"time_ratio": (1.2, 1.06, 1.3)}, ("time",)),
        ({"time_ratio": (1.2, 1.04, 1.3)}, ()),
        ({"instructions": 200, "vendor_instructions": 100}, ("instructions",)),
        ({"size_bytes": 16000, "vendor_error": "no kernel"}, ()),
    ],
)
def test_a_file_is_worse_by_more_than_noise_or_not_at_all(change: dict[str, object], behind: tuple[str, ...]) -> None:
    assert replace(COMPARED, **change).behind == behind  # type: ignore[arg-type]


def test_the_page_shows_both_files_what_is_worse_and_who_fails() -> None:
    slower = replace(COMPARED, backend="tflite", time_ratio=(1.2, 1.06, 1.3), reason="Plain int8 does not hold.")
    failed = replace(COMPARED, backend="executorch", vendor_error="RuntimeError: no kernel for 'gru'")
    text = page({each.key: each for each in (COMPARED, slower, failed)})
    row = (
        "| tabular | onnx | 31.4 dB / 24.6 dB | 9,000 / 14,742 | 0.96 (0.96 to 0.97) | 8.6 / 8.9 | 4 / 5 |  | at least"
    )
    assert row in text
    assert "| **1.20 (1.06 to 1.30)** |" in text
    assert "| tabular | tflite, int8 | time | Plain int8 does not hold. |" in text
    assert "| tabular | executorch, int8 | the vendor fails: RuntimeError: no kernel for 'gru' |" in text


def test_a_reason_names_what_the_vendor_leaves_in_float() -> None:
    """edgekit's recurrent layer in integers is slower than onnxruntime's own kernel in float."""
    slower = replace(
        COMPARED, time_ratio=(7.4, 7.3, 7.5), integer_macs=1.0, commonest="1 Scan, 2 QGemm",
        vendor_commonest="2 QuantizeLinear, 1 GRU",
    )  # fmt: skip
    assert reason(slower) == (
        "the vendor leaves 1 GRU in float, and edgekit has 100% of the work in integers; edgekit's integers of the "
        "recurrent layers are steps of 1 Scan; it is 6.8 dB nearer to the network; the vendor's file is 1.6 times as "
        "large"
    )
    assert reason(replace(COMPARED, sqnr_db=24.6, size_bytes=14742)) == ""


def test_a_cause_that_was_measured_by_hand_is_told_where_the_column_is_lost() -> None:
    lost = replace(COMPARED, architecture="gru-2", sqnr_gain_db=(-4.0, -3.0), sqnr_db=40.1, vendor_sqnr_db=43.8)
    assert "`aten.gru` of its quantized program has float weights" in reason(replace(lost, backend="tflite"))
    assert "observer=histogram` reaches 31.0 dB" in reason(replace(lost, architecture="dilated", backend="executorch"))
    assert reason(replace(lost, architecture="dilated", backend="onnx")) == reason(replace(lost, architecture="tcn"))


def test_the_page_says_which_commit_measured_what() -> None:
    here = replace(COMPARED, source="tree digest torch 2.13.0", commit="0123456789ab")
    text = page({here.key: here, ("tcn", "onnx", "int8"): replace(here, architecture="tcn")})
    assert text.endswith("Measured: 2 cells at 0123456789ab.\nPackages: 2 cells with torch 2.13.0.\n")


def test_what_coverage_built_quickest_is_compared_first(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"tcn": 9.0, "tabular": 2.0}
    cells = {
        (name, "onnx", "int8"): Cell(name, "onnx", "int8", "works", seconds=each) for name, each in seconds.items()
    }
    monkeypatch.setattr(command, "read", lambda _: cells)
    keys = ordered(["gru-1", "tcn", "tabular"], ["executorch", "onnx"], ["int8"])
    assert [key[0] for key in keys[:3]] == ["tabular", "tcn", "gru-1"]
    assert [key[1] for key in keys] == ["onnx"] * 3 + ["executorch"] * 3


def test_the_gain_in_decibels_is_that_of_the_worst_outputs() -> None:
    random = np.random.default_rng(0)
    reference = [random.normal(size=(64, 8)), random.normal(size=(64, 3))]
    near, far = ([array + size * random.normal(size=array.shape) for array in reference] for size in (0.01, 0.1))
    mixed = [near[0], far[1]]
    assert sqnr_of(reference, mixed) == pytest.approx(sqnr_db(reference[1], far[1]))
    low, high = gain(reference, near, mixed)
    truth = min(map(sqnr_db, reference, near)) - sqnr_db(reference[1], far[1])
    assert low < truth < high < low + 6
    assert sqnr_of(reference, reference) is None
    assert gain(reference, reference, far) == ()


def test_calls_take_turns_and_the_interval_holds_their_ratio() -> None:
    one, other, (ratio, low, high) = turns(lambda: sum(range(20_000)), lambda: sum(range(10_000)), 0.5)
    assert one > other
    assert low <= ratio <= high
    assert 1.3 < ratio < 3.0
