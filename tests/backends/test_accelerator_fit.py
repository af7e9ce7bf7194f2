"""What accelerators will not take of a file: operators, ranks, number formats, free lengths, and the hand-overs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.backends.accelerator_fit import AcceleratorFit, accelerator_fit, graph_steps
from edgekit.backends.onnx.external_weights import WEIGHTS, write_with_weights
from edgekit.ir.artifact import Artifact, Placement
from edgekit.ir.graph_step import GraphStep
from edgekit.ir.signature import Signature
from edgekit.pipeline.stages.accelerator_fits import accelerator_fits
from edgekit.specs.catalog import Catalog, builtin_root
from tests.runner.slot import model

CATALOG = Catalog((builtin_root(),))
PHONE, BOARD = CATALOG.target("snapdragon-8-gen-3"), CATALOG.target("rb3-gen-2")
GPU, HTP = CATALOG.accelerator("litert-gpu"), CATALOG.accelerator("qnn-htp")


def step(operator: str, reads: str, writes: str, ranks: tuple[int, ...] = (4, 4), number: str = "float32") -> GraphStep:
    return GraphStep(operator, f"'{writes}'", ranks, (number,) * len(ranks), (reads,), (writes,))


def on_gpu(*steps: GraphStep, free: str = "") -> AcceleratorFit:
    return accelerator_fit(GPU, PHONE.accelerators("tflite", "gpu")[0], steps, free)


def on_htp(*steps: GraphStep, target: Any = PHONE) -> AcceleratorFit:
    return accelerator_fit(HTP, target.accelerators("onnx", "npu")[0], steps)


def test_a_graph_that_is_taken_whole() -> None:
    fit = on_gpu(step("CONV_2D", "x", "a"), step("RELU", "a", "b"))
    assert (fit.left, fit.hand_overs) == ((), 0)
    assert fit.sentence == "litert-gpu takes all 2 operators, by its documented rules"


def test_an_operator_in_the_middle_costs_two_hand_overs_and_is_told_with_its_remedy() -> None:
    fit = on_gpu(step("CONV_2D", "x", "a"), step("BROADCAST_TO", "a", "b"), step("ADD", "b", "c"))
    assert [each.step.operator for each in fit.left] == ["BROADCAST_TO"]
    assert fit.sentence == (
        "litert-gpu takes 2 of 3 operators, with 2 hand-overs between it and the CPU; not BROADCAST_TO in 'b': it has "
        "no such operator; leave out expand(): additions and products broadcast by themselves"
    )


@pytest.mark.parametrize(
    ("fit", "why"),
    [
        (on_gpu(step("ADD", "x", "a", (5, 5))), "a tensor of 5 axes, and it takes at most 4"),
        (on_gpu(step("SLICE", "x", "a", (2, 2))), "a tensor of 2 axes, and it takes 3 to 4"),
        (on_gpu(step("ADD", "x", "a", number="int16")), "int16, and it computes in float32, float16"),
        (on_gpu(step("ADD", "x", "a"), free="t:8..64"), "length 't:8..64' is free, and it takes fixed shapes"),
        (on_htp(step("Conv", "x", "a", number="int8")), "int8, and it computes in uint8, uint16, float16"),
        (on_htp(step("Conv", "x", "a", (6, 6), "uint8")), "a tensor of 6 axes, and it takes 3 to 5"),
        (on_htp(step("Conv", "x", "a"), target=BOARD), "float32, and it computes in uint8"),
    ],
)
def test_ranks_numbers_and_lengths_that_are_not_taken(fit: AcceleratorFit, why: str) -> None:
    [left] = fit.left
    assert why in left.why
    assert left.instead


def test_what_it_takes_in_these_formats() -> None:
    assert not on_htp(step("Conv", "x", "a")).left  # in float16, from v73 on
    assert not on_htp(step("Conv", "x", "a", number="uint8"), target=BOARD).left
    assert not on_htp(step("Gather", "x", "a", number="int64"), target=BOARD).left
    assert not on_gpu(step("CONV_2D", "x", "a", number="int8")).left


def test_the_operators_of_an_onnx_file_have_their_module_and_their_integers(tmp_path: Path) -> None:
    def constant(name: str, value: Any, dtype: Any) -> Any:
        return numpy_helper.from_array(np.asarray(value, dtype), name)

    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["x.q"]),
        helper.make_node("DequantizeLinear", ["x.q", "s", "z"], ["x.dq"]),
        helper.make_node("DequantizeLinear", ["w.q", "s", "z"], ["w"]),
        helper.make_node("MatMul", ["x.dq", "w"], ["head/MatMul"]),
        helper.make_node("Relu", ["head/MatMul"], ["head/Relu"]),
        helper.make_node("QuantizeLinear", ["head/Relu", "s", "z"], ["y.q"]),
        helper.make_node("DequantizeLinear", ["y.q", "s", "z"], ["y.dq"]),
        helper.make_node("Erf", ["y.dq"], ["act/Erf"]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "act/Erf")]
    constants = [constant("s", 0.1, np.float32), constant("z", 0, np.int8), constant("w.q", np.eye(4), np.int8)]
    path = tmp_path / "model.onnx"
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(path))
    product, relu, erf = graph_steps(path, "onnx")
    assert set(relu.numbers) == {"int8"}
    assert (product.operator, product.where, set(product.numbers), product.ranks[0]) == (
        "MatMul",
        "'head'",
        {"int8"},
        2,
    )
    assert (erf.operator, erf.where, erf.reads) == ("Erf", "'act'", ("head/Relu",))
    fit = on_htp(product, erf)
    assert "MatMul in 'head': int8, and it computes in uint8" in fit.sentence
    assert "Erf in 'act': it has no such operator; use nn.GELU()" in fit.sentence


def test_plan_and_report_read_the_graph_of_an_artifact_of_several_files(tmp_path: Path) -> None:
    weight = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["head/MatMul"]), helper.make_node("Erf", ["head/MatMul"], ["y"])]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 64]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], [numpy_helper.from_array(weight, "w")])
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    files = write_with_weights(network, tmp_path / "model.onnx")
    assert [path.name for path in files] == ["model.onnx", WEIGHTS]
    files[1].unlink()  # not read
    artifact = Artifact(files, "onnx", Signature((), ()), Placement(()), 0.0)
    project = SimpleNamespace(root=tmp_path, lengths=())
    request: Any = SimpleNamespace(project=project, target=PHONE, runtime=PHONE.select_runtime("onnx"))
    (fit,) = accelerator_fits(request, artifact)
    assert (fit.kind, fit.operators) == ("qnn-htp", 2)
    assert [(each.step.operator, each.step.ranks) for each in fit.left] == [("Erf", (2, 2))]


@pytest.mark.lowers
def test_the_operators_of_a_tflite_file_are_numbered(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(model("tflite"))
    steps = graph_steps(path, "tflite")
    assert steps[0].where == f"operator 1 of {len(steps)}"
    assert "FULLY_CONNECTED" in [each.operator for each in steps]
    assert all(each.ranks and each.numbers and each.writes for each in steps)
    assert on_gpu(*steps).operators == len(steps)


def test_a_format_without_rules_has_no_steps(tmp_path: Path) -> None:
    assert graph_steps(tmp_path / "model.pte", "pte") == ()
