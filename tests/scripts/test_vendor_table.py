"""`scripts/bench vendor --architecture`: records, intervals and the page of docs/vendors.md."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.ir.sqnr import sqnr_db
from scripts.coverage_table.record import read_as, write
from scripts.vendor_table.comparison import VendorComparison
from scripts.vendor_table.page import page
from scripts.vendor_table.quality import gain, sqnr_of
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
    slower = replace(COMPARED, backend="tflite", time_ratio=(1.2, 1.06, 1.3), remarks=("Plain int8 does not hold.",))
    failed = replace(COMPARED, backend="executorch", vendor_error="RuntimeError: no kernel for 'gru'")
    text = page({each.key: each for each in (COMPARED, slower, failed)})
    row = (
        "| tabular | onnx | 31.4 dB / 24.6 dB | 9,000 / 14,742 | 0.96 (0.96 to 0.97) | 8.6 / 8.9 | 4 / 5 |  | at least"
    )
    assert row in text
    assert "| **1.20 (1.06 to 1.30)** |" in text
    assert "| tabular | tflite, int8 | time | Plain int8 does not hold.; it is 6.8 dB nearer to the network; " in text
    assert "| tabular | executorch, int8 | the vendor fails: RuntimeError: no kernel for 'gru' |" in text


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
