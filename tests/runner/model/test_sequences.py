"""A model with state on the device: the runner carries it through each sequence, and begins anew with the next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.ir.measurement import Array
from edgekit.runner.errors import RunnerError
from edgekit.runner.model.carried_state import StatefulCall, StatePlaces
from edgekit.runner.model.manifest import ModelState, ModelTensor, RunnerManifest, read_manifest
from edgekit.runner.model.sequences import with_state
from tests.runner import slot
from tests.runner.conftest import Bare

SIGNATURE: dict[str, Any] = {
    "inputs": [
        {"name": "total", "dtype": "float32", "shape": [2, 1, 3], "affine": None},
        {"name": "x", "dtype": "float32", "shape": [1, 3], "affine": None},
        {"name": "count", "dtype": "int64", "shape": [1], "affine": None},
    ],
    "outputs": [
        {"name": "count_out", "dtype": "int64", "shape": [1], "affine": None},
        {"name": "y", "dtype": "float32", "shape": [1, 3], "affine": None},
        {"name": "total_out", "dtype": "float32", "shape": [2, 1, 3], "affine": None},
    ],
    "state": [
        {"input": "count", "output": "count_out", "initial": None},
        {"input": "total", "output": "total_out", "initial": "state/total.npy"},
    ],
}
FIRST = np.arange(6, dtype=np.float32).reshape(2, 1, 3)


def _model() -> bytes:
    """Sum over the steps, and their number: total_out = total + x, y = total_out[0] * count, count_out = count + 1."""
    from onnx import TensorProto, helper, numpy_helper

    kinds = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
    infos = [
        [helper.make_tensor_value_info(one["name"], kinds[one["dtype"]], one["shape"]) for one in SIGNATURE[side]]
        for side in ("inputs", "outputs")
    ]
    nodes = [
        helper.make_node("Add", ["total", "x"], ["total_out"]),
        helper.make_node("Gather", ["total_out", "zero"], ["row"], axis=0),
        helper.make_node("Cast", ["count"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["row", "number"], ["y"]),
        helper.make_node("Add", ["count", "one"], ["count_out"]),
    ]
    constants = [numpy_helper.from_array(np.array(0), "zero"), numpy_helper.from_array(np.array([1]), "one")]
    graph = helper.make_graph(nodes, "sums", *infos, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def _expected(x: Array) -> Array:
    """Answers y [N, T, 3] to sequences x [N, T, 3]."""
    totals = FIRST[0, 0] + np.cumsum(x, axis=1)
    answers: Array = (totals * np.arange(x.shape[1])[:, None]).astype(np.float32)
    return answers


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = slot.write_slot(tmp_path / "slot", "onnx", _model(), signature=SIGNATURE, schema=2)
    x = np.random.default_rng(0).standard_normal((2, 4, 3)).astype(np.float32)
    for name in ("inputs", "outputs"):
        for old in (folder / "golden" / name).iterdir():
            old.unlink()
    np.save(folder / "golden" / "inputs" / "x.npy", x)
    np.save(folder / "golden" / "outputs" / "y.npy", _expected(x))
    (folder / "state").mkdir()
    np.save(folder / "state" / "total.npy", FIRST)
    return folder


def _inputs(folder: Path, *shape: int) -> Array:
    folder.mkdir()
    x = np.random.default_rng(1).standard_normal((*shape, 3)).astype(np.float32)
    np.save(folder / "x.npy", x)
    return x


def test_sequences_are_answered_from_the_initial_state_each(bare: Bare, model: Path, tmp_path: Path) -> None:
    x = _inputs(tmp_path / "in", 3, 7)
    answer = bare.ask("accuracy", model, "--inputs", tmp_path / "in", "--out", tmp_path / "out")
    assert answer.code == 0, answer.stderr
    assert set(answer.document["outputs"]) == {"y"}
    np.testing.assert_allclose(np.load(tmp_path / "out" / "y.npy"), _expected(x), rtol=1e-5, atol=1e-5)


def test_the_self_test_runs_the_golden_sequences(bare: Bare, model: Path) -> None:
    assert bare.ask("selftest", model).document["passed"]
    np.save(model / "state" / "total.npy", FIRST + 1)
    assert not bare.ask("selftest", model).document["passed"]


def test_single_steps_are_timed_and_traced(bare: Bare, model: Path, tmp_path: Path) -> None:
    _inputs(tmp_path / "in", 2, 5)
    folders = ("--inputs", tmp_path / "in", "--out", tmp_path / "out")
    timed = bare.ask("latency", model, *folders, "--min-count", 40, "--min-duration", 0)
    assert timed.code == 0, timed.stderr
    assert np.load(tmp_path / "out" / "latency_ns.npy").shape == (timed.document["count"],)
    traced = bare.ask("operators", model, *folders, "--count", 12)
    assert traced.code == 0, traced.stderr
    assert {operator["kind"] for operator in traced.document["operators"]} >= {"Add", "Mul"}
    sustained = bare.ask("throughput", model, *folders, "--instances", 1, "--min-duration", 0.1)
    assert sustained.code == 0, sustained.stderr
    assert sustained.document["batch"] == 1


@pytest.mark.parametrize(
    ("shape", "said"), [((3,), "float32['N', 'T', 3]"), ((3, 0), "float32['N', 'T', 3]"), ((2, 2, 2), "takes")]
)
def test_what_is_no_sequence_is_refused(
    bare: Bare, model: Path, tmp_path: Path, shape: tuple[int, ...], said: str
) -> None:
    _inputs(tmp_path / "in", *shape)
    answer = bare.ask("accuracy", model, "--inputs", tmp_path / "in", "--out", tmp_path / "out")
    assert answer.code == 1
    assert answer.document["kind"] == "data"
    assert said.replace("'", "") in answer.document["error"]


@pytest.mark.parametrize("array", [None, FIRST[0], FIRST.astype(np.float64)])
def test_an_initial_state_that_is_damaged_is_refused(bare: Bare, model: Path, array: Array | None) -> None:
    (model / "state" / "total.npy").unlink()
    if array is not None:
        np.save(model / "state" / "total.npy", array)
    answer = bare.ask("selftest", model)
    assert answer.code == 1
    assert "total.npy" in answer.document["error"]


def test_a_manifest_of_a_schema_to_come_is_refused(tmp_path: Path) -> None:
    folder = slot.write_slot(tmp_path / "slot", "onnx", schema=4)
    with pytest.raises(RunnerError, match="schema 4 is newer than this runner"):
        read_manifest(folder)


def _manifest(*tensors: ModelTensor, state: tuple[ModelState, ...]) -> RunnerManifest:
    return RunnerManifest("onnx", Path("m"), (), tensors[:1], tensors[1:], 0.0, state=state)


def test_state_must_pass_on_as_it_is() -> None:
    tensors = ModelTensor("h", "int8", (1, 4), 0.5, 0), ModelTensor("h_out", "int8", (1, 4), 0.25, 0)
    with pytest.raises(RunnerError, match="are not alike"):
        with_state(lambda inputs: list(inputs), _manifest(*tensors, state=(ModelState("h", "h_out", None),)))
    with pytest.raises(RunnerError, match="a state 'g' that the model does not have"):
        with_state(lambda inputs: list(inputs), _manifest(*tensors, state=(ModelState("g", "h_out", None),)))


def test_zero_is_the_zero_point_where_integers_stand_for_reals() -> None:
    tensors = ModelTensor("h", "int8", (1, 2), 0.5, -3), ModelTensor("h_out", "int8", (1, 2), 0.5, -3)
    call = with_state(lambda inputs: list(inputs), _manifest(*tensors, state=(ModelState("h", "h_out", None),)))
    assert call([])[0].tolist() == [[-3, -3]]


@pytest.mark.parametrize("in_place", [True, False])
def test_a_cache_is_written_an_entry_a_step(in_place: bool) -> None:
    """Running sum: the entry of a step is its data plus the entries before it."""

    def step(arguments: Sequence[Array]) -> list[Array]:
        return [arguments[0] + arguments[1].sum(1, keepdims=True)]

    call = StatefulCall(step, [StatePlaces(1, 0, 1)], [np.zeros((1, 3))], in_place=in_place)
    kept = call.arguments([None])[1]
    assert [float(call([np.array([[x]])])[0][0, 0]) for x in (1, 2, 3)] == [1, 3, 7]
    assert call.arguments([None])[1].tolist() == [[1, 3, 7]]
    assert kept.any() == in_place
    with pytest.raises(RunnerError, match="the cache is full: it holds 3 steps"):
        call([np.array([[1.0]])])
    call.reset()
    assert float(call([np.array([[5.0]])])[0][0, 0]) == 5


def test_an_entry_of_a_cache_must_be_like_the_cache() -> None:
    tensors = ModelTensor("keys", "float32", (1, 4, 2), None, 0), ModelTensor("rows", "float32", (1, 1, 2), None, 0)
    state = ModelState("keys", "rows", None, append=1)
    call = with_state(lambda inputs: [np.ones((1, 1, 2), np.float32)], _manifest(*tensors, state=(state,)))
    assert call.capacity == 4
    with pytest.raises(RunnerError, match="not alike"):
        with_state(list, _manifest(*tensors, state=(state._replace(append=2),)))


def _count(arguments: Sequence[int]) -> list[int]:
    first, data, second = arguments
    return [second * 2, data, first + 1]


def test_a_call_puts_state_where_it_belongs_and_begins_anew_after_a_period() -> None:
    call = StatefulCall(_count, [StatePlaces(2, 0), StatePlaces(0, 2)], [1, 10], period=3)
    assert [call([7]) for _ in range(4)] == [[2, 7, 11], [4, 7, 12], [8, 7, 13], [2, 7, 11]]
    call.reset()
    assert call.arguments([7]) == [10, 7, 1]
