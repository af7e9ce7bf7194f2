"""Loops and branches of ONNX whose counts and conditions are known are unrolled; others are refused by their node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from edgekit.errors import UnsupportedModelFile
from edgekit.frontend.load import load
from tests.frontend.onnx_import.graphs import floats, model
from tests.frontend.onnx_import.test_networks import BARE, project
from tests.networks import substitute

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def typed(name: str, kind: int, *shape: int) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def shaped(proto: Any, shapes: Any) -> Any:
    """The model with these shapes of its outputs, which onnx does not infer through loops."""
    for output, shape in zip(proto.graph.output, shapes, strict=True):
        output.CopyFrom(helper.make_tensor_value_info(output.name, FLOAT, shape))
    return proto


def recurrence(stop: int = 9) -> Any:
    """Body of a loop: `h = tanh(h * w + turn)`, whose values are collected, and which ends by its own condition."""
    nodes = [
        helper.make_node("Cast", ["turn"], ["step"], to=FLOAT),
        helper.make_node("Mul", ["h", "w"], ["part"]),
        helper.make_node("Add", ["part", "step"], ["sum"]),
        helper.make_node("Tanh", ["sum"], ["next"]),
        helper.make_node("Constant", [], ["stop"], value_int=stop),
        helper.make_node("Less", ["turn", "stop"], ["more"]),
        helper.make_node("Identity", ["next"], ["seen"]),
    ]
    inputs = [typed("turn", INT64), typed("go", BOOL), typed("h", FLOAT, 1, 4)]
    outputs = [typed("more", BOOL), typed("next", FLOAT, 1, 4), typed("seen", FLOAT, 1, 4)]
    return helper.make_graph(nodes, "body", inputs, outputs)


def looped(body: Any, count: Any = 5, extra: tuple[Any, ...] = ()) -> Any:
    nodes = [*extra, helper.make_node("Loop", ["count", "", "x"], ["last", "all"], name="steps", body=body)]
    constants = {"w": floats(1, 4)} | ({} if count is None else {"count": np.array(count)})
    return shaped(model(nodes, {"x": ([1, 4], FLOAT)}, ["last", "all"], constants), ([1, 4], ["turns", 1, 4]))


@pytest.mark.parametrize(("stop", "turns"), [(9, 5), (2, 4 - 1)])
def test_a_loop_of_known_turns_is_unrolled(tmp_path: Path, stop: int, turns: int) -> None:
    loaded = load(project(tmp_path, looped(recurrence(stop))))  # which compares it with ONNX Runtime
    with torch.no_grad():
        last, steps = loaded.module.model(torch.zeros(1, 4)).values()
    assert steps.shape == (turns, 1, 4)
    torch.testing.assert_close(steps[-1], last)
    assert list(dict(loaded.module.model.named_parameters())) == ["w"]  # once for all turns


@pytest.mark.parametrize("backwards", [0, 1])
def test_a_scan_over_time_is_unrolled(tmp_path: Path, backwards: int) -> None:
    nodes = [helper.make_node("Add", ["sum", "row"], ["next"]), helper.make_node("Neg", ["next"], ["seen"])]
    inputs = [typed("sum", FLOAT, 1, 4), typed("row", FLOAT, 1, 4)]
    body = helper.make_graph(nodes, "body", inputs, [typed("next", FLOAT, 1, 4), typed("seen", FLOAT, 1, 4)])
    scan = helper.make_node(
        "Scan", ["start", "x"], ["last", "all"], name="sums", body=body, num_scan_inputs=1, scan_input_axes=[1],
        scan_output_axes=[1], scan_input_directions=[backwards],
    )  # fmt: skip
    proto = model([scan], {"x": ([1, 6, 4], FLOAT)}, ["last", "all"], {"start": floats(1, 4)})
    loaded = load(project(tmp_path, shaped(proto, ([1, 4], [1, 6, 4]))))
    x = torch.from_numpy(floats(1, 6, 4, seed=2))
    with torch.no_grad():
        last, steps = loaded.module.model(x).values()
    torch.testing.assert_close(last, x.sum(1) + torch.from_numpy(floats(1, 4)), rtol=1e-4, atol=1e-5)
    assert steps.shape == (1, 6, 4)


def test_a_branch_that_defines_names_of_its_own_is_folded(tmp_path: Path) -> None:
    def one(kind: str) -> Any:
        outputs = [onnx.ValueInfoProto(name="result")]
        return helper.make_graph([helper.make_node(kind, ["x"], ["result"], name="node")], kind, [], outputs)

    nodes = [
        helper.make_node("If", ["yes"], ["a"], then_branch=one("Neg"), else_branch=one("Abs")),
        helper.make_node("If", ["no"], ["b"], then_branch=one("Neg"), else_branch=one("Abs")),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    proto = model(nodes, {"x": ([1, 4], FLOAT)}, ["y"], {"yes": np.array(True), "no": np.array(False)})
    answers = load(project(tmp_path, proto)).module.model(torch.tensor([[1.0, -2, 3, -4]]))
    torch.testing.assert_close(answers["y"], torch.tensor([[0.0, 4, 0, 8]]))


def counted_by_data() -> Any:
    extra = (
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["count"], to=INT64),
    )
    return looped(recurrence(), None, extra)


def chosen_by_data() -> Any:
    def one(kind: str) -> Any:
        return helper.make_graph([helper.make_node(kind, ["x"], [kind])], kind, [], [onnx.ValueInfoProto(name=kind)])

    nodes = [
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["yes"], to=BOOL),
        helper.make_node("If", ["yes"], ["y"], name="way", then_branch=one("Neg"), else_branch=one("Abs")),
    ]
    return model(nodes, {"x": ([1, 4], FLOAT)}, ["y"])


@pytest.mark.parametrize(
    ("proto", "words", "hint"),
    [
        (counted_by_data(), r"node 'steps' \(Loop, opset 18\) makes as many turns as the data", "[state]"),
        (looped(recurrence(), 5000), r"node 'steps' .* makes 5,000 turns, edgekit unrolls 1,024", "[state]"),
        (chosen_by_data(), r"node 'way' \(If, opset 18\) takes its branch by the data", "torch.where"),
    ],
)
def test_control_flow_that_depends_on_data_is_refused(tmp_path: Path, proto: Any, words: str, hint: str) -> None:
    with pytest.raises(UnsupportedModelFile, match=words) as caught:
        load(project(tmp_path, proto))
    assert hint in str(caught.value.hint)


def test_turns_that_follow_a_free_length_are_refused(tmp_path: Path) -> None:
    extra = (
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["count"]),
    )
    nodes = [*extra, helper.make_node("Loop", ["count", "", "x"], ["y"], name="steps", body=halved_body())]
    proto = shaped(model(nodes, {"x": ([1, "t"], FLOAT)}, ["y"], {"one": np.array(1)}), ([1, "t"],))
    stated = project(tmp_path, proto, substitute("[data]", '[inputs.x]\nshape = ["t:2..6"]\n[data]', BARE))
    with pytest.raises(UnsupportedModelFile, match=r"node 'steps' .* or a free length, say"):
        load(stated)


def halved_body() -> Any:
    nodes = [helper.make_node("Tanh", ["h"], ["next"]), helper.make_node("Identity", ["go"], ["more"])]
    inputs = [typed("turn", INT64), typed("go", BOOL), onnx.ValueInfoProto(name="h")]
    return helper.make_graph(nodes, "body", inputs, [typed("more", BOOL), onnx.ValueInfoProto(name="next")])
