"""Networks that end at tensors within an ONNX graph, before what edgekit has no operator for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from edgekit.errors import SpecError, UnsupportedModelFile
from edgekit.frontend.load import load
from tests.frontend.onnx_import.graphs import floats, model
from tests.frontend.onnx_import.test_networks import BARE, project
from tests.networks import substitute

FLOAT = TensorProto.FLOAT


def detector() -> Any:
    """A detector that ends as exporters end it: suppression, and the boxes that are left."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["/head/boxes"]),
        helper.make_node("MatMul", ["x", "v"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["scores"]),
        helper.make_node("Transpose", ["scores"], ["by_class"], perm=[0, 2, 1]),
        helper.make_node("NonMaxSuppression", ["/head/boxes", "by_class", "most", "iou"], ["picked"], name="nms"),
        helper.make_node("Slice", ["picked", "from", "to", "axis"], ["rows"]),
        helper.make_node("GatherND", ["/head/boxes", "rows"], ["kept"]),
        helper.make_node("Mul", ["size", "size"], ["area"]),
    ]
    constants = {"w": floats(6, 4), "v": floats(6, 2), "most": np.array([9]), "iou": np.array([0.5], np.float32)}
    constants |= {name: np.array([i], np.int64) for i, name in ((0, "from"), (3, "to"), (1, "axis"))}
    inputs = {"x": ([1, 5, 6], FLOAT), "size": ([1, 2], FLOAT)}
    return model(nodes, inputs, ["kept", "area"], constants)


def ending(outputs: str) -> str:
    return substitute('file = "net.onnx"\n', f'file = "net.onnx"\noutputs = [{outputs}]\n', BARE)


def test_suppression_in_the_graph_is_refused_and_its_hint_works(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelFile, match=r"node 'nms' of 'net\.onnx' is NonMaxSuppression") as caught:
        project(tmp_path, detector())
    hint = str(caught.value.hint)
    assert 'outputs = ["_head_boxes", "by_class", "area"] in [model]' in hint
    assert "task = 'detection'" in hint
    network = load(project(tmp_path, detector(), ending('"_head_boxes", "by_class"'))).module.model
    x = torch.from_numpy(floats(1, 5, 6, seed=1))
    with torch.no_grad():
        boxes, scores = network(x).values()
    assert [tuple(value.shape) for value in (boxes, scores)] == [(1, 5, 4), (1, 2, 5)]
    np.testing.assert_allclose(boxes[0], x[0].numpy() @ floats(6, 4), rtol=1e-5)


def test_inputs_and_nodes_behind_the_end_are_left_out(tmp_path: Path) -> None:
    stated = project(tmp_path, detector(), ending('"/head/boxes", "scores"'))
    assert stated.model.outputs == ("_head_boxes", "scores")
    assert list(stated.inputs) == ["x"]
    assert len(list(load(stated).module.model.children())) == 2


@pytest.mark.parametrize(
    ("outputs", "words"),
    [('"scores", "by_clas"', "'net.onnx' has no tensor 'by_clas'"), ('"a", "b", "c"', "no tensor 'a'")],
)
def test_an_end_that_the_graph_lacks_is_refused(tmp_path: Path, outputs: str, words: str) -> None:
    with pytest.raises(SpecError, match=re.escape(words)) as caught:
        project(tmp_path, detector(), ending(outputs))
    assert caught.value.hint


def test_new_names_for_the_outputs_are_no_cut(tmp_path: Path) -> None:
    proto = model([helper.make_node("Relu", ["x"], ["y"])], {"x": ([1, 4], FLOAT)}, ["y"])
    stated = project(tmp_path, proto, ending('"positive"'))
    assert stated.model.outputs == ("positive",)
    assert list(load(stated).module.model(torch.zeros(1, 4))) == ["y"]


def test_models_of_scikit_learn_are_no_networks(tmp_path: Path) -> None:
    node = helper.make_node("TreeEnsembleClassifier", ["x"], ["y"], name="forest", domain="ai.onnx.ml")
    with pytest.raises(
        UnsupportedModelFile, match=r"node 'forest' .* is ai\.onnx\.ml\.TreeEnsembleClassifier"
    ) as caught:
        project(tmp_path, model([node], {"x": ([1, 4], FLOAT)}, ["y"], domains=["ai.onnx.ml"]))
    assert "onnxruntime" in str(caught.value.hint)
