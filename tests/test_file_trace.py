"""Traces: a result may be reused exactly while nothing that it was read from has changed."""

from __future__ import annotations

import linecache
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from edgekit.file_trace import FileTrace, traced
from edgekit.specs.factory import resolve


def read(path: Path) -> Callable[[], str]:
    return lambda: path.read_text()


def test_what_was_read_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1")
    result, trace = traced(read(tmp_path / "a.txt"), tmp_path, tmp_path / "ignored")
    assert result == "1"
    assert [Path(source.path).name for source in trace.sources] == ["a.txt"]


def test_what_was_written_is_not(tmp_path: Path) -> None:
    _, trace = traced(lambda: (tmp_path / "a.txt").write_text("1"), tmp_path, tmp_path / "ignored")
    assert trace.sources == ()


def test_a_changed_file_ends_it(tmp_path: Path) -> None:
    file, memo = tmp_path / "a.txt", tmp_path / "memos" / "memo.json"
    file.write_text("1")
    traced(read(file), tmp_path, tmp_path / "ignored")[1].save(memo)
    assert FileTrace.read(memo) is not None
    file.write_text("2")
    assert FileTrace.read(memo) is None


def test_a_file_that_is_only_newer_does_not(tmp_path: Path) -> None:
    file, memo = tmp_path / "a.txt", tmp_path / "memos" / "memo.json"
    file.write_text("1")
    before = traced(read(file), tmp_path, tmp_path / "ignored")[1]
    before.save(memo)
    os.utime(file, (1, 1))
    after = FileTrace.read(memo)
    assert after is not None
    assert after.digest == before.digest


def test_a_change_within_one_tick_of_the_clock_is_seen(tmp_path: Path) -> None:
    file, memo = tmp_path / "a.txt", tmp_path / "memos" / "memo.json"
    file.write_text("1")
    stat = file.stat()
    traced(read(file), tmp_path, tmp_path / "ignored")[1].save(memo)
    file.write_text("2")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert FileTrace.read(memo) is None


def test_a_file_more_in_a_folder_that_was_listed_ends_it(tmp_path: Path) -> None:
    folder, memo = tmp_path / "images", tmp_path / "memos" / "memo.json"
    folder.mkdir()
    (folder / "a").touch()
    traced(lambda: list(folder.iterdir()), tmp_path, tmp_path / "ignored")[1].save(memo)
    assert FileTrace.read(memo) is not None
    (folder / "b").touch()
    assert FileTrace.read(memo) is None


def test_the_modules_of_a_project_count_even_when_they_were_imported_before(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("VALUE = 3\n")
    (tmp_path / "model.py").write_text("from helper import VALUE\n")
    resolve("model.py:VALUE", tmp_path)
    value, trace = traced(lambda: resolve("model.py:VALUE", tmp_path), tmp_path, tmp_path / "ignored")
    assert value == 3
    assert {"model.py", "helper.py"} <= {Path(source.path).name for source in trace.sources}


def test_installed_code_is_left_to_versions(tmp_path: Path) -> None:
    _, trace = traced(lambda: np.__file__ and Path(np.__file__).read_text(), tmp_path, tmp_path / "ignored")
    assert trace.sources == ()


def test_weights_that_native_code_opens_count(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    save_file({"w": torch.zeros(2)}, weights)
    first = traced(lambda: load_file(weights), tmp_path, tmp_path / "ignored")[1]
    save_file({"w": torch.ones(2)}, weights)
    assert traced(lambda: load_file(weights), tmp_path, tmp_path / "ignored")[1].digest != first.digest


def test_a_module_beside_the_project_counts_though_it_was_imported_before(tmp_path: Path) -> None:
    root, beside = tmp_path / "project", tmp_path / "common"
    root.mkdir()
    beside.mkdir()
    (beside / "shared_gain.py").write_text("GAIN = 1\n")
    (root / "model.py").write_text(f"import sys\nsys.path.append({str(beside)!r})\nimport shared_gain\n")
    resolve("model.py:shared_gain", root)
    _, trace = traced(lambda: resolve("model.py:shared_gain", root).GAIN, root, tmp_path / "ignored")
    assert "shared_gain.py" in {Path(source.path).name for source in trace.sources}


def test_the_versions_of_packages_that_a_project_uses_count(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("import numpy as np\n\nnet = np\n")
    _, trace = traced(lambda: resolve("model.py:net", tmp_path), tmp_path, tmp_path / "ignored")
    assert ("numpy", np.__version__) in trace.versions


def test_what_changes_while_it_is_read_is_never_reused(tmp_path: Path) -> None:
    file, memo = tmp_path / "a.txt", tmp_path / "memos" / "memo.json"

    def read_and_change() -> None:
        file.write_text("1")
        file.read_text()
        os.utime(file, ns=(time.time_ns(), time.time_ns()))

    trace = traced(read_and_change, tmp_path, tmp_path / "ignored")[1]
    trace.save(memo)
    assert FileTrace.read(memo) is None
    assert trace.digest != traced(read_and_change, tmp_path, tmp_path / "ignored")[1].digest


def test_a_damaged_memo_is_no_trace(tmp_path: Path) -> None:
    memo = tmp_path / "memo.json"
    for text in ("", "{", "[1]", '[{"path": "x"}]', "null"):
        memo.write_text(text)
        assert FileTrace.read(memo) is None


def test_a_source_that_python_reads_to_show_a_line_of_it_is_not_read(tmp_path: Path) -> None:
    shown = tmp_path / "elsewhere.py"
    shown.write_text("x = 1\n")
    line, trace = traced(lambda: linecache.getline(str(shown), 1), tmp_path / "project", tmp_path / "cache")
    assert (line, trace.sources) == ("x = 1\n", ())
