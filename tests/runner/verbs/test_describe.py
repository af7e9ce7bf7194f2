"""Bare model files, described by the runner in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.runner import slot
from tests.runner.conftest import Bare


def graph(inputs: list[tuple[str, list[Any]]], output: list[Any], weights: str | None = None) -> bytes:
    """An ONNX model that adds its weights to its one input, kept in the file `weights` if one is named."""
    from onnx import TensorProto, helper

    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    if weights is not None:
        one.ClearField("float_data")
        one.data_location = TensorProto.EXTERNAL
        one.external_data.add(key="location", value=weights)
    name = inputs[0][0] if inputs else "one"
    made = helper.make_graph(
        [helper.make_node("Add", [name, "one"], ["sum"])],
        "graph",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, output)],
        [one],
    )
    opset = [helper.make_opsetid("", 17)]
    content: bytes = helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString()
    return content


def _said(bare: Bare, folder: Path, content: bytes, format: str = "onnx") -> dict[str, Any]:
    file = folder / f"some model.{format}"
    file.write_bytes(content)
    return bare.ask("describe", file, "--format", format).document


@pytest.mark.parametrize("format", slot.FORMATS)
def test_a_file_says_what_it_takes_and_gives(bare: Bare, tmp_path: Path, format: str) -> None:
    said = _said(bare, tmp_path, slot.model(format), format)
    for way in ("inputs", "outputs"):
        wanted = [(edge["dtype"], edge["shape"]) for edge in slot.SIGNATURE[way]]
        assert [(edge["dtype"], edge["shape"]) for edge in said["signature"][way]] == wanted
    names = [edge["name"] for edge in said["signature"]["inputs"]]
    assert (
        names
        == {
            "onnx": ["image", "bias"],
            "pte": ["input_0", "input_1"],
            "tflite": ["serving_default_args_0", "serving_default_args_1"],
        }[format]
    )


def test_a_free_batch_is_one(bare: Bare, tmp_path: Path) -> None:
    said = _said(bare, tmp_path, graph([("x", ["batch", 4])], ["batch", "unknown"]))
    assert [edge["shape"] for edge in said["signature"]["inputs"]] == [[1, 4]]
    assert [edge["shape"] for edge in said["signature"]["outputs"]] == [[1, 4]]


def test_a_batch_that_is_not_free_stays(bare: Bare, tmp_path: Path) -> None:
    said = _said(bare, tmp_path, graph([("x", [8, 4])], [8, 4]))
    assert said["signature"]["outputs"][0]["shape"] == [8, 4]


def test_tensors_in_files_beside_it_are_named(bare: Bare, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "weights.bin").write_bytes(np.ones(1, np.float32).tobytes())
    said = _said(bare, tmp_path, graph([("x", [1, 4])], [1, 4], "data/weights.bin"))
    assert said["files"] == ["data/weights.bin"]


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (graph([], [1]), "load", "it takes nothing"),
        (graph([("x", [])], [1]), "load", "input 'x' has no batch axis"),
        (graph([("x", [1, "width"])], [1, "width"]), "load", "axis 1 of input 'x' has no length"),
        (graph([("x", [1, 1 << 40])], [1, 4]), "load", "more than 1024 MiB"),
        (graph([("../x", [1, 4])], [1, 4]), "load", "which cannot be names of files"),
        (graph([("x", [1, 4])], [1, 4], "weights.bin"), "data", "there is no such file beside it"),
        (graph([("x", [1, 4])], [1, 4], "../weights.bin"), "data", "which is outside of its folder"),
        (graph([("x", [1, 4])], [1, 4], "/etc/passwd"), "data", "which is outside of its folder"),
        (graph([("x", [1, 4])], [1, 4], "link/passwd"), "data", "which is outside of its folder"),
        (b"no model at all", "load", "it is no ONNX model"),
        (b"", "load", "it is no ONNX model"),
    ],
)
def test_what_cannot_be_served_is_said(bare: Bare, tmp_path: Path, content: bytes, kind: str, message: str) -> None:
    (tmp_path / "link").symlink_to("/etc")
    said = _said(bare, tmp_path, content)
    assert said["kind"] == kind
    assert message in said["error"]
