"""Weights of several ONNX graphs in one file, each weight once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import ModelProto

from edgekit.backends.onnx.external_weights import ALIGNMENT, WEIGHTS, with_external_weights
from edgekit.ir.measurement import Array


def _product(rows: int, weight: Array) -> ModelProto:
    """Graph that multiplies x [rows, 20] by the weight; its shape of two numbers stays in the graph."""
    from onnx import TensorProto, helper, numpy_helper

    edges = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, 20]) for name in ("x", "y")]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Reshape", ["z", "shape"], ["y"])]
    constants = {"w": weight, "shape": np.array([rows, 20])}
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "product", edges[:1], edges[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_graphs_share_what_is_equal(tmp_path: Path) -> None:
    import onnxruntime

    random = np.random.default_rng(0)
    weight, other = (random.standard_normal((20, 20)).astype(np.float32) for _ in range(2))
    models, weights = with_external_weights([_product(1, weight), _product(4, weight), _product(2, other)])
    assert len(weights) == weight.nbytes + other.nbytes
    assert weight.nbytes % ALIGNMENT == 0
    (tmp_path / WEIGHTS).write_bytes(weights)
    for model, rows, expected in zip(models, (1, 4, 2), (weight, weight, other), strict=True):
        (tmp_path / "model.onnx").write_bytes(model)
        x = random.standard_normal((rows, 20)).astype(np.float32)
        (y,) = onnxruntime.InferenceSession(str(tmp_path / "model.onnx")).run(None, {"x": x})
        np.testing.assert_allclose(y, x @ expected, rtol=1e-4, atol=1e-5)
