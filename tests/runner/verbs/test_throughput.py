"""Several instances of a model at once, by the runner as a bare folder."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.runner import slot
from tests.runner.conftest import Answer, Bare
from tests.runner.verbs.test_describe import graph


def _sustained(bare: Bare, model: Path, inputs: dict[str, Any], *argv: object) -> Answer:
    folder = model.parent / "in"
    folder.mkdir()
    for name, array in inputs.items():
        np.save(folder / f"{name}.npy", array)
    return bare.ask("throughput", model, "--inputs", folder, "--out", folder, *argv)


@pytest.mark.parametrize("format", slot.FORMATS)
def test_two_instances_answer_side_by_side(bare: Bare, tmp_path: Path, format: str) -> None:
    model = slot.write_slot(tmp_path / "slot", format)
    answer = _sustained(bare, model, slot.inputs(5), "--instances", 2, "--min-duration", 0.3)
    assert answer.code == 0, answer.stderr
    said = answer.document
    assert (said["instances"], said["threads"], said["batch"]) == (2, 1, 1)
    assert said["duration_s"] >= 0.3
    assert said["samples_per_s"] == pytest.approx(said["count"] / said["duration_s"])
    assert said["count"] > 20
    assert 0 < said["cores"] < said["info"]["cores"] + 0.2
    # Two models, two runtimes, two of Python: both are counted.
    assert said["peak_rss_bytes"] > 2 * 20e6
    assert said["runtime"] == said["info"]["runtimes"][format]


def test_a_batch_counts_as_many_samples(bare: Bare, tmp_path: Path) -> None:
    (tmp_path / "slot").mkdir()
    (tmp_path / "slot" / "model.onnx").write_bytes(graph([("x", [8, 4])], [8, 4]))
    edge = {"dtype": "float32", "shape": [8, 4], "affine": None}
    signature = {"inputs": [{**edge, "name": "x"}], "outputs": [{**edge, "name": "sum"}]}
    manifest = {"format": "onnx", "model": ["model.onnx"], "options": [], "signature": signature}
    said = {**manifest, "golden": {"tolerance": 0}}
    (tmp_path / "slot" / "manifest.json").write_text(json.dumps(said))
    inputs = {"x": np.ones((11, 4), np.float32)}
    answer = _sustained(bare, tmp_path / "slot", inputs, "--instances", 1, "--min-duration", 0.1)
    assert answer.code == 0, answer.document
    assert answer.document["batch"] == 8
    assert answer.document["samples_per_s"] == pytest.approx(
        8 * answer.document["count"] / answer.document["duration_s"]
    )


def test_an_instance_that_fails_is_the_error_of_the_run(bare: Bare, tmp_path: Path) -> None:
    model = slot.write_slot(tmp_path / "slot", weights=b"no model at all")
    answer = _sustained(bare, model, slot.inputs(5), "--instances", 2, "--min-duration", 60)
    assert answer.document["kind"] == "load"
    assert "'model.onnx' cannot be loaded" in answer.document["error"]


# An instance ends without a word, as one that the kernel kills for its memory does.
DYING = "import os\nos._exit(9)\n"


def test_an_instance_that_dies_ends_the_run_and_leaves_no_other(bare: Bare, tmp_path: Path) -> None:
    (tmp_path / "path" / "onnxruntime").mkdir(parents=True)
    (tmp_path / "path" / "onnxruntime" / "__init__.py").write_text(DYING)
    dying = Bare(bare.folder, ("env", f"PYTHONPATH={tmp_path / 'path'}:{bare.folder}", *bare.python))
    model = slot.write_slot(tmp_path / "slot")
    # Longer than an answer is waited for here.
    answer = _sustained(dying, model, slot.inputs(5), "--instances", 3, "--min-duration", 600)
    assert answer.document == {"error": "an instance died: is there memory for as many?", "kind": "run"}
    assert not [one for one in os.listdir("/proc") if str(tmp_path / "slot") in _command(one)]  # noqa: PTH208


def _command(process: str) -> str:
    try:
        return Path("/proc", process, "cmdline").read_text("utf-8", "replace")
    except OSError:
        return ""


def test_nothing_that_has_threads_is_imported_before_a_process_is_split(bare: Bare) -> None:
    script = "import sys, runner.__main__, runner.verbs.throughput; sys.exit('numpy' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(bare.folder)}
    assert subprocess.run([*bare.python, "-c", script], env=environment, check=False, timeout=60).returncode == 0


def test_no_instance_is_no_throughput(bare: Bare, tmp_path: Path) -> None:
    model = slot.write_slot(tmp_path / "slot")
    answer = _sustained(bare, model, slot.inputs(1), "--instances", 0, "--min-duration", 0)
    assert answer.document["kind"] == "usage"
