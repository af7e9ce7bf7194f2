"""Traces of the three runtimes, by the runner as a bare folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.runner import etdump
from edgekit.runner.flatbuffer import Table
from tests.runner import slot
from tests.runner.conftest import Answer, Bare

COUNT = 12
# Some of the model's operators, as each runtime calls them, and who runs them.
NAMED = {
    "onnx": [("Gemm", "cpu"), ("Floor", "cpu"), ("Clip", "cpu")],
    "pte": [("Fully Connected (NC, F32) GEMM", "xnnpack"), ("Floor (NC)", "xnnpack"), ("_to_dim_order_copy.out", None)],
    "tflite": [("Fully Connected (NC, F32) GEMM", "xnnpack"), ("Floor (NC)", "xnnpack"), ("CAST", None)],
}


def _traced(bare: Bare, tmp_path: Path, format: str) -> Answer:
    model = slot.write_slot(tmp_path / "slot", format)
    (tmp_path / "in").mkdir()
    for name, array in slot.inputs(5).items():
        np.save(tmp_path / "in" / f"{name}.npy", array)
    folders = ("--inputs", tmp_path / "in", "--out", tmp_path / "out")
    return bare.ask("operators", model, *folders, "--count", COUNT, "--threads", 2)


@pytest.mark.parametrize("format", slot.FORMATS)
def test_every_operator_is_named_with_its_delegate_and_its_times(bare: Bare, tmp_path: Path, format: str) -> None:
    answer = _traced(bare, tmp_path, format)
    assert answer.code == 0, answer.stderr
    document = answer.document
    assert (document["format"], document["count"], document["threads"]) == (format, COUNT, 2)
    assert document["runtime"] == document["info"]["runtimes"][format]
    found = [(operator["kind"], operator["delegate"]) for operator in document["operators"]]
    assert set(NAMED[format]) <= set(found)
    assert len({operator["name"] for operator in document["operators"]}) == len(found)
    whole_ns, operator_ns = (np.load(tmp_path / "out" / f"{name}_ns.npy") for name in ("whole", "operator"))
    assert whole_ns.shape == (COUNT,)
    assert operator_ns.shape == (COUNT, len(found))
    assert (operator_ns >= 0).all()
    assert (operator_ns.sum(axis=1) <= whole_ns).all()


def test_a_runtime_without_a_tool_says_so_and_times_the_whole(bare_tflite_runtime: Bare, tmp_path: Path) -> None:
    answer = _traced(bare_tflite_runtime, tmp_path, "tflite")
    assert answer.code == 0, answer.stderr
    assert answer.document["operators"] == []
    assert "tflite-runtime has no tool" in answer.document["note"]
    assert (np.load(tmp_path / "out" / "whole_ns.npy") > 0).all()
    assert np.load(tmp_path / "out" / "operator_ns.npy").shape == (COUNT, 0)


def test_a_model_that_gives_something_else_than_its_manifest_says_is_not_traced(bare: Bare, tmp_path: Path) -> None:
    outputs = [{**slot.SIGNATURE["outputs"][0], "dtype": "float64"}, slot.SIGNATURE["outputs"][1]]
    model = slot.write_slot(tmp_path / "slot", signature={**slot.SIGNATURE, "outputs": outputs})
    folders = ("--inputs", model / "golden" / "inputs", "--out", tmp_path / "out")
    answer = bare.ask("operators", model, *folders, "--count", 3)
    assert answer.document["kind"] == "run"
    assert "its manifest says float64[1, 5]" in answer.document["error"]


# What ExecuTorch's own reader makes of a trace: by name, milliseconds of every inference.
INSPECT = """
import json, sys
from executorch.devtools import Inspector
blocks = [block for block in Inspector(etdump_path=sys.argv[1]).event_blocks if block.name == "Execute"]
print(json.dumps([[event.name, event.perf_data.raw] for block in blocks for event in block.events]))
"""


def test_our_reader_of_etdumps_agrees_with_executorchs_own(bare: Bare, tmp_path: Path) -> None:
    _traced(bare, tmp_path, "pte")
    trace = tmp_path / "out" / "trace.etdp"
    ours = etdump.inferences(trace.read_bytes(), (tmp_path / "slot" / "model.pte").read_bytes())
    command = [sys.executable, "-c", INSPECT, str(trace)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout
    events = [(name, [ms * 1e6 for ms in raw]) for name, raw in json.loads(said.splitlines()[-1])]
    theirs = {name: taken for name, taken in events if name == etdump.WHOLE or name.endswith(" #1")}
    assert [inference.whole_ns for inference in ours] == pytest.approx(theirs.pop(etdump.WHOLE), abs=1)
    assert len(ours) > COUNT
    assert len(theirs) == 5
    for name, taken in theirs.items():
        assert [_ns(inference, name) for inference in ours] == pytest.approx(taken, abs=1)
    kernels = [taken for name, taken in events if name.startswith(etdump.KERNEL)]
    mine = [[operator.ns for operator in inference.operators if operator.delegate is None] for inference in ours]
    np.testing.assert_allclose(np.array(mine).T, kernels, atol=1)


def _ns(inference: Any, name: str) -> int:
    found: int = next(operator.ns for operator in inference.operators if operator.name == name)
    return found


@pytest.mark.parametrize("cut", [0, 3, 7, 40, 200])
def test_a_program_that_ends_too_early_is_an_error(cut: int) -> None:
    with pytest.raises(ValueError, match=r"does not begin|too early"):
        [table.text(0) for table in Table.root(slot.model("pte")[:cut], etdump.PROGRAM).tables(1)]
