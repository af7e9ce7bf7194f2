"""A server counts what it answers, after it has answered, and loses nothing when it is ended in order."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.runner.counts.bins import digest_of
from edgekit.runner.verbs.windows import windows
from tests.runner import slot
from tests.runner.conftest import Bare
from tests.runner.counts.small_bins import frozen, scores_of
from tests.runner.serve.served_root import commit, infer, serving


def test_what_was_answered_is_counted_and_nothing_of_it_is_kept(bare: Bare, tmp_path: Path) -> None:
    root = tmp_path / "root"
    bins = frozen()
    digest = commit(root, bins=bins.to_bytes())
    given = slot.inputs(90, seed=5)
    marked: dict[str, Array] = {**given, "bias": np.full_like(given["bias"], 0.123456789)}
    with serving(bare, root, "--workers", 1) as server:
        server.wait_ready()
        with contextlib.closing(server.connect()) as connection:
            for i in range(30):
                rows = {name: array[3 * i : 3 * i + 3] for name, array in marked.items()}
                assert infer(connection, rows, id="visitor-77").status == 200
            assert infer(connection, {"image": given["image"][:1]}).status == 400
        assert server.get("/v2/models/small/stats").document["model_stats"][0]["uncounted"] == 0
    answer = windows(root, None, None)
    assert answer["serves"]["digest"] == digest
    answers = [each for each in answer["windows"] if each["kind"] == "answers"]
    times = [each for each in answer["windows"] if each["kind"] == "times"]
    assert sum(each["rows"] for each in answers) == 90
    assert {each["bins"] for each in answers} == {digest_of(bins.to_bytes())}
    assert {each["bundle"] for each in (*answers, *times)} == {digest}
    predicted = np.bincount(scores_of(marked).argmax(axis=1), minlength=5)
    told = {str(k): int(count) for k, count in enumerate(predicted) if count >= 5}
    assert len(answers) == 1
    assert answers[0]["classes"] == told
    assert sum(answers[0]["signals"]["confidence"]) == 90
    assert 0 < answers[0]["input_rows"] <= 90
    assert sum(sum(each["latency_ns"]["bucket_counts"]) for each in times) == 30
    assert sum(each["refused"] for each in times) == 1
    files = b"".join(path.read_bytes() for path in (root / "counts").rglob("*") if path.is_file())
    assert b"visitor" not in files
    assert b"0.1234" not in files
    assert len(files) < 8192


def test_a_full_disk_costs_counts_and_no_answer(bare: Bare, tmp_path: Path) -> None:
    root = tmp_path / "root"
    commit(root, bins=frozen().to_bytes())
    (root / "counts").write_text("a file where the folder should be")
    with serving(bare, root, "--workers", 1) as server:
        server.wait_ready()
        with contextlib.closing(server.connect()) as connection:
            assert infer(connection, slot.inputs(70)).status == 200
        log = server.log.read_text()
    assert "Traceback" not in log
    assert (root / "counts").is_file()
    assert windows(root, None, None)["windows"] == []
    assert os.path.exists(root / "current")  # noqa: PTH110 a link


def test_a_bundle_without_bins_is_served_and_has_its_times_counted(bare: Bare, tmp_path: Path) -> None:
    root = tmp_path / "root"
    commit(root)
    with serving(bare, root, "--workers", 1) as server:
        server.wait_ready()
        with contextlib.closing(server.connect()) as connection:
            assert infer(connection, slot.inputs(1)).status == 200
    (window,) = windows(root, None, None)["windows"]
    assert (window["kind"], window["rows"], window["bins"]) == ("times", 1, None)
