"""Traces of the three runtimes, by the runner as a bare folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.runner.model.manifest import read_manifest
from edgekit.runner.runtimes import etdump
from edgekit.runner.runtimes.select_runtime import open_runtime
from tests.runner import slot
from tests.runner.conftest import Answer, Bare

COUNT = 12
# Some of the model's operators, as each runtime calls them, and who runs them.
NAMED: dict[str, list[tuple[str, str | None]]] = {
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
    kinds = [(operator["kind"], operator["delegate"]) for operator in document["operators"]]
    assert set(NAMED[format]) <= set(kinds)
    assert len({operator["name"] for operator in document["operators"]}) == len(kinds)
    whole_ns, operator_ns = (np.load(tmp_path / "out" / f"{name}_ns.npy") for name in ("whole", "operator"))
    assert whole_ns.shape == (COUNT,)
    assert operator_ns.shape == (COUNT, len(kinds))
    assert (operator_ns >= 0).all()
    assert (operator_ns.sum(axis=1) <= whole_ns).all()


@pytest.mark.lowers
def test_a_runtime_without_a_tool_says_so_and_times_the_whole(bare_tflite_runtime: Bare, tmp_path: Path) -> None:
    answer = _traced(bare_tflite_runtime, tmp_path, "tflite")
    assert answer.code == 0, answer.stderr
    assert answer.document["operators"] == []
    assert "tflite-runtime has no tool" in answer.document["note"]
    assert (np.load(tmp_path / "out" / "whole_ns.npy") > 0).all()
    assert np.load(tmp_path / "out" / "operator_ns.npy").shape == (COUNT, 0)


@pytest.mark.lowers
def test_what_litert_traces_computes_what_its_interpreter_does(tmp_path: Path) -> None:
    manifest = read_manifest(slot.write_slot(tmp_path / "slot", "tflite"))
    trace = open_runtime("tflite")[1].trace(manifest, 1, tmp_path)
    given = slot.inputs(3)
    wanted = slot.expected(given)
    for i in range(3):
        scores, steps = trace.call([given["image"][i : i + 1], given["bias"][i : i + 1]])
        np.testing.assert_allclose(scores, wanted["scores"][i : i + 1], rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(steps, wanted["steps"][i : i + 1])
    assert [len(inference.operators) > 0 for inference in trace.inferences()] == [True] * 3


def _free_batch(content: bytes) -> bytes:
    """The same .tflite, its inputs with a first axis of no stated length."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    graph = model.subgraphs[0]
    for i in graph.inputs:
        graph.tensors[i].shapeSignature = np.array([-1, *graph.tensors[i].shape[1:]], np.int32)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.lowers
def test_a_model_that_litert_does_not_compile_is_timed_as_a_whole(bare: Bare, tmp_path: Path) -> None:
    model = slot.write_slot(tmp_path / "slot", "tflite", weights=_free_batch(slot.model("tflite")))
    folders = ("--inputs", model / "golden" / "inputs", "--out", tmp_path / "out")
    document = bare.ask("operators", model, *folders, "--count", 3).document
    assert document["operators"] == []
    assert "LiteRT cannot trace it (LiteRt" in document["note"]
    assert (np.load(tmp_path / "out" / "whole_ns.npy") > 0).all()


def test_what_a_branch_runs_counts_once(bare: Bare, tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    def branch(name: str) -> Any:
        nodes = [
            helper.make_node("Tanh", ["x"], [f"{name}_first"]),
            helper.make_node("Sin", [f"{name}_first"], [name]),
        ]
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4096])])

    either = {"then_branch": branch("then"), "else_branch": branch("else")}
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["so"], to=TensorProto.BOOL),
        helper.make_node("If", ["so"], ["y"], **either),
    ]
    edges = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4096])] for name in "xy"]
    opset = [helper.make_opsetid("", 17)]
    made = helper.make_model(helper.make_graph(nodes, "g", *edges), opset_imports=opset, ir_version=8)
    edge = {"dtype": "float32", "shape": [1, 4096], "affine": None}
    signature = {"inputs": [{**edge, "name": "x"}], "outputs": [{**edge, "name": "y"}]}
    model = slot.write_slot(tmp_path / "slot", weights=made.SerializeToString(), signature=signature)
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "x.npy", np.ones((3, 4096), np.float32))
    answer = bare.ask("operators", model, "--inputs", tmp_path / "in", "--out", tmp_path / "out", "--count", 3)
    assert [operator["kind"] for operator in answer.document["operators"]] == ["ReduceMax", "Cast", "If"]


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


@pytest.mark.lowers
def test_our_reader_of_etdumps_agrees_with_executorchs_own(bare: Bare, tmp_path: Path) -> None:
    _traced(bare, tmp_path, "pte")
    trace = tmp_path / "out" / "trace.etdp"
    ours = etdump.inferences(trace.read_bytes(), (tmp_path / "slot" / "model.pte").read_bytes())
    command = [sys.executable, "-c", INSPECT, str(trace)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout
    events = [(name, [ms * 1e6 for ms in raw]) for name, raw in json.loads(printed.splitlines()[-1])]
    theirs = {name: seconds for name, seconds in events if name == etdump.WHOLE or name.endswith(" #1")}
    assert [inference.whole_ns for inference in ours] == pytest.approx(theirs.pop(etdump.WHOLE), abs=1)
    assert len(ours) > COUNT
    assert len(theirs) == 5
    for name, seconds in theirs.items():
        assert [_ns(inference, name) for inference in ours] == pytest.approx(seconds, abs=1)
    kernels = [seconds for name, seconds in events if name.startswith(etdump.KERNEL)]
    mine = [[operator.ns for operator in inference.operators if operator.delegate is None] for inference in ours]
    np.testing.assert_allclose(np.array(mine).T, kernels, atol=1)


def _ns(inference: Any, name: str) -> int:
    kinds: int = next(operator.ns for operator in inference.operators if operator.name == name)
    return kinds
