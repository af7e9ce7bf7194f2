"""Requests and answers of the Open Inference Protocol, as arrays."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.runner.errors import RunnerError
from edgekit.runner.model.lengths import ModelAxis
from edgekit.runner.model.manifest import ModelTensor
from edgekit.runner.serve.tensor_message import TensorMessages
from edgekit.runner.serve.tensor_metadata import ServedSignature, TensorMetadata, stored

PIXELS = ModelTensor("pixels", "uint8", (1, 2, 3), None, 0)
LEVEL = ModelTensor("level", "int8", (1, 2), 0.5, -3)
SCORES = ModelTensor("scores", "float32", (1, 2), None, 0)
SIGNATURE = ServedSignature(
    (TensorMetadata.of(PIXELS, False), TensorMetadata.of(LEVEL, False)), (TensorMetadata.of(SCORES, False),)
)
MESSAGES = TensorMessages(SIGNATURE, "m", "7")
GOOD: dict[str, Any] = {
    "inputs": [
        {"name": "pixels", "shape": [2, 2, 3], "datatype": "UINT8", "data": list(range(12))},
        {"name": "level", "shape": [2, 2], "datatype": "FP32", "data": [[0.5, 1], [1e9, -1e9]]},
    ]
}

VALUES = st.recursive(st.none() | st.integers() | st.text(max_size=5), st.lists)


def _read(document: Any, behind: bytes = b"") -> Any:
    head = json.dumps(document).encode()
    return MESSAGES.read(memoryview(head + behind), len(head) if behind else None)


def _changed(place: int, **changes: Any) -> dict[str, Any]:
    inputs = [dict(each) for each in GOOD["inputs"]]
    inputs[place].update(changes)
    return {"inputs": inputs}


def test_numbers_of_json_become_what_the_model_stores() -> None:
    read = _read({**GOOD, "id": "a"})
    assert read.id == "a"
    assert read.outputs == ((0, False),)
    assert (read.columns[0] == np.arange(12, dtype=np.uint8).reshape(2, 2, 3)).all()
    # 0.5 * (stored + 3), and what does not fit is the nearest that does.
    assert (read.columns[1] == np.array([[-2, -1], [127, -128]], np.int8)).all()
    assert [column.dtype.name for column in read.columns] == ["uint8", "int8"]


def test_bytes_behind_the_json_are_read_in_its_order() -> None:
    level, pixels = np.ones((1, 2), "<f4"), np.arange(6, dtype=np.uint8)
    document = {
        "inputs": [
            {"name": "level", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
            {"name": "pixels", "shape": [1, 2, 3], "datatype": "UINT8", "parameters": {"binary_data_size": 6}},
        ],
        "outputs": [{"name": "scores", "parameters": {"binary_data": True}}],
    }
    read = _read(document, level.tobytes() + pixels.tobytes())
    assert (read.columns[0].reshape(-1) == pixels).all()
    assert (read.columns[1] == -1).all()
    assert read.outputs == ((0, True),)
    with pytest.raises(RunnerError, match="1 bytes follow the tensors"):
        _read(document, level.tobytes() + pixels.tobytes() + b"x")


def test_an_answer_is_json_or_bytes_behind_it() -> None:
    scores = np.array([[0.25, -1]], np.float32)
    json_length, (body,) = MESSAGES.write(_read(GOOD)._replace(id="a"), [scores])
    assert json_length is None
    assert json.loads(body) == {
        "model_name": "m",
        "model_version": "7",
        "id": "a",
        "outputs": [{"name": "scores", "datatype": "FP32", "shape": [1, 2], "data": [0.25, -1.0]}],
    }
    json_length, (head, raw) = MESSAGES.write(_read(GOOD)._replace(outputs=((0, True),)), [scores])
    assert json_length == len(head)
    assert json.loads(head)["outputs"][0]["parameters"] == {"binary_data_size": 8}
    assert raw == scores.tobytes()
    with pytest.raises(RunnerError, match="not finite, which JSON cannot say"):
        MESSAGES.write(_read(GOOD), [scores * np.inf])


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "has no list 'inputs'"),
        ({"inputs": {}}, "has no list 'inputs'"),
        ({"inputs": []}, "takes each of these once: 'pixels' UINT8"),
        ({"inputs": [GOOD["inputs"][0]] * 2}, "takes each of these once"),
        ({"inputs": [*GOOD["inputs"], GOOD["inputs"][0]]}, "takes each of these once"),
        (_changed(0, name="pixel"), "has no input 'pixel'; it has pixels, level"),
        (_changed(0, datatype="INT8"), "is INT8.*the model takes UINT8"),
        (_changed(0, shape=[2, 3, 2]), "the model takes"),
        (_changed(0, shape=[True, 2, 3]), "the model takes"),
        (_changed(0, shape=[3, 2, 3]), "all inputs have one batch axis"),
        (_changed(0, shape=[-2, 2, 3]), "the model takes"),
        (_changed(0, data=[1]), "are no UINT8"),
        (_changed(0, data=[300] * 12), "are no UINT8"),
        (_changed(0, data=["1"] * 12), "are no UINT8"),
        (_changed(0, data=[[1, 2], [3]]), "are no UINT8"),
        (_changed(1, data=[None] * 4), "are no FP32"),
        (_changed(0, parameters={"binary_data_size": -1}), "is a number of bytes"),
        (_changed(0, parameters={"binary_data_size": 5}), "has 5 bytes"),
        ({**GOOD, "outputs": [{"name": "score"}]}, "has no output 'score'"),
        ({**GOOD, "outputs": {}, "id": 3}, "'id' is a text"),
        ({**GOOD, "parameters": {"binary_data_output": "yes"}}, "is true or false"),
    ],
)
def test_what_the_model_does_not_take_is_told(document: Any, words: str) -> None:
    with pytest.raises(RunnerError, match=words) as refused:
        _read(document)
    assert refused.value.kind == "data"


@given(st.binary(max_size=100) | VALUES.map(lambda value: json.dumps({"inputs": value}).encode()))
def test_anything_is_read_or_refused(raw: bytes) -> None:
    with pytest.raises(RunnerError):
        MESSAGES.read(memoryview(raw), None)


def test_json_that_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(RunnerError, match="no JSON"):
        MESSAGES.read(memoryview(b"[" * 100_000), None)


def test_a_free_length_is_any_up_to_its_greatest() -> None:
    served = TensorMetadata.of(ModelTensor("x", "float32", (1, 8, 2), None, 0, (ModelAxis(1, "n"),)), False)
    assert served.metadata["shape"] == [-1, -1, 2]
    assert served.fits([1, 8, 2])
    assert served.fits([1, 3, 2])
    assert not served.fits([1, 9, 2])
    timed = TensorMetadata.of(ModelTensor("x", "float32", (1, 2), None, 0), True)
    assert timed.metadata["shape"] == [-1, -1, 2]
    assert timed.fits([1, 500, 2])


def test_a_quantized_input_takes_no_nan() -> None:
    with pytest.raises(RunnerError, match="not finite"):
        stored(np.array([[np.nan, 0]], np.float32), LEVEL)
