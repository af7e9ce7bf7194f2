"""Windows on the disk: numbered, bounded, whole or counted as lost; and the times that are counted in them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from edgekit.runner.counts import answer_counter, window_folder
from edgekit.runner.counts.answer_counter import AnswerCounter
from edgekit.runner.counts.exponential_histogram import ExponentialHistogram
from edgekit.runner.counts.time_counter import TimeCounter
from edgekit.runner.counts.window_folder import WindowFolder
from edgekit.runner.counts.window_writer import WindowWriter
from edgekit.runner.verbs.windows import windows


def written(root: Path, rows: int) -> None:
    writer = WindowWriter(root, "answers", "d" * 64, None, lambda: {"rows": rows})
    writer.close()


def test_windows_are_read_in_order_and_reading_takes_nothing_away(tmp_path: Path) -> None:
    assert windows(tmp_path, None, None)["windows"] == []
    for rows in (5, 6, 7):
        written(tmp_path, rows)
    first = windows(tmp_path, None, None)
    assert [each["rows"] for each in first["windows"]] == [5, 6, 7]
    assert windows(tmp_path, None, None) == first
    place = f"{first['epoch']}:{first['windows'][1]['number']}"
    assert [each["rows"] for each in windows(tmp_path, place, place)["windows"]] == [7]
    # Of another epoch, numbers mean nothing: everything is given.
    assert len(windows(tmp_path, "other:2", "other:99")["windows"]) == 3
    assert WindowFolder(tmp_path).read_up_to == 2


def test_a_window_that_goes_on_is_told_apart_from_one_whose_writer_was_killed(tmp_path: Path) -> None:
    counts = {"rows": 3}
    writer = WindowWriter(tmp_path, "answers", "d" * 64, None, lambda: counts)
    writer.flush()
    assert [each["open"] for each in windows(tmp_path, None, None)["windows"]] == [True]
    counts["rows"] = 9
    writer.flush()
    (only,) = windows(tmp_path, None, None)["windows"]
    assert only["rows"] == 9
    file = next((tmp_path / "counts").glob("0*.json"))
    file.write_text(json.dumps({**json.loads(file.read_text()), "pid": 2**22 + 1}))
    assert [each["open"] for each in windows(tmp_path, None, None)["windows"]] == [False]


def test_the_oldest_windows_go_and_count_as_lost_unless_they_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_folder, "MAX_FILES", 4)
    for rows in range(1, 6):
        written(tmp_path, rows)
    left = windows(tmp_path, None, None)
    assert ([each["rows"] for each in left["windows"]], left["lost"]) == ([2, 3, 4, 5], 1)
    windows(tmp_path, None, f"{left['epoch']}:{left['windows'][-1]['number']}")
    written(tmp_path, 6)
    left = windows(tmp_path, None, None)
    assert ([each["rows"] for each in left["windows"]], left["lost"]) == ([3, 4, 5, 6], 1)


@pytest.mark.parametrize("damage", [b"{", b"\x00" * 300, b"[1]", b'{"rows": 1e999}'])
def test_a_damaged_window_is_lost_and_keeps_no_other(tmp_path: Path, damage: bytes) -> None:
    for rows in (1, 2, 3):
        written(tmp_path, rows)
    sorted((tmp_path / "counts").glob("0*.json"))[1].write_bytes(damage)
    answer = windows(tmp_path, None, None)
    assert ([each["rows"] for each in answer["windows"]], answer["lost"]) == ([1, 3], 1)
    assert windows(tmp_path, None, None)["lost"] == 1


def test_a_disk_that_takes_nothing_costs_counts_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = TimeCounter(tmp_path, "d" * 64)
    counter.answered(2_000_000, 1_000)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(WindowFolder, "write", full)
        counter.close()
        assert counter.lost_rows == 1
    counter.answered(2_000_000, 1_000)
    counter.refused(503)
    counter.refused(400)
    counter.close()
    (window,) = windows(tmp_path, None, None)["windows"]
    assert (window["lost_rows"], window["rows"], window["failed"], window["refused"]) == (1, 3, 1, 1)


def test_a_clock_that_jumps_changes_a_label_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = WindowWriter(tmp_path, "answers", "d" * 64, None, lambda: {"rows": 1})
    monkeypatch.setattr(time, "time", lambda: -5.0)
    writer.close()
    writer.close()
    labels = [(each["begun"] > 0, each["seconds"] < 60) for each in windows(tmp_path, None, None)["windows"]]
    assert labels == [(True, True), (False, True)]


def test_a_counter_that_fails_says_so_once_and_lets_answers_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from types import SimpleNamespace as Named
    from typing import Any, cast

    from tests.runner import slot
    from tests.runner.counts.small_bins import frozen

    manifest = cast(Any, Named(sampled=[Named(name="image"), Named(name="bias")], reported=[Named(name="scores")]))
    counter = AnswerCounter(tmp_path, "d" * 64, frozen(), "b" * 64, manifest)
    given = slot.inputs(answer_counter.BLOCK, seed=1)
    columns = [given["image"], given["bias"]]
    for _ in range(3):
        counter.count(columns, [np.zeros((answer_counter.BLOCK, 3, 3))], 1, 1000)
    assert capsys.readouterr().err.count("counts no more") == 1
    assert counter.wait_s is None
    counter.close()
    assert windows(tmp_path, None, None)["windows"] == []


def test_percentiles_of_an_exponential_histogram_are_within_a_twentieth() -> None:
    values = np.random.default_rng(3).lognormal(14, 1, 5000).astype(int)
    histogram, other = ExponentialHistogram(), ExponentialHistogram()
    for value in values[:2000]:
        histogram.add(int(value))
    for value in values[2000:]:
        other.add(int(value))
    histogram.merge(other)
    for share in (0.5, 0.9, 0.99):
        assert histogram.quantile(share) == pytest.approx(np.quantile(values, share), rel=0.05)
    document = histogram.document()
    assert sum(document["bucket_counts"]) == 5000
    # OpenTelemetry: bucket i holds base ** i < value <= base ** (i + 1).
    exact = ExponentialHistogram()
    for value in (1, 2, 4):
        exact.add(value)
    assert exact.buckets == {-1: 1, 7: 1, 15: 1}
    assert ExponentialHistogram().quantile(0.5) is None


def test_files_of_counts_are_their_owners_alone(tmp_path: Path) -> None:
    mask = os.umask(0o077)
    try:
        written(tmp_path, 1)
    finally:
        os.umask(mask)
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "counts").iterdir()} == {0}
