"""The check of an exported graph is made on a copy without large weights, and still finds what is wrong."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgekit.backends.onnx.export import LARGE, without_large_weights


def product(rows: int) -> onnx.ModelProto:
    """`Reshape(x @ weight, sizes)`, x [1, 512]: the weight is large, the sizes are not."""
    weight = numpy_helper.from_array(np.zeros((rows, 512), np.float32), "weight")
    sizes = numpy_helper.from_array(np.array([2, 256]), "sizes")
    nodes = [helper.make_node("MatMul", ["x", "weight"], ["y"]), helper.make_node("Reshape", ["y", "sizes"], ["z"])]
    shapes = {"x": [1, 512], "z": [2, 256]}
    edges = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)] for name, shape in shapes.items()]
    graph = helper.make_graph(nodes, "graph", *edges, initializer=[weight, sizes])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_a_large_weight_becomes_an_input_and_the_model_stays_as_it_was() -> None:
    model = product(512)
    before = model.SerializeToString(deterministic=True)
    light = without_large_weights(model)
    assert model.SerializeToString(deterministic=True) == before
    assert light.ByteSize() < LARGE
    assert [each.name for each in light.graph.input] == ["x", "weight"]
    assert [tensor.name for tensor in light.graph.initializer] == ["sizes"]
    assert (light.ir_version, light.opset_import, light.graph.node) == (
        model.ir_version,
        model.opset_import,
        model.graph.node,
    )
    onnx.checker.check_model(light, full_check=True)


def test_a_large_weight_of_a_wrong_shape_is_still_found() -> None:
    with pytest.raises(onnx.shape_inference.InferenceError, match="Incompatible dimensions"):
        onnx.checker.check_model(without_large_weights(product(511)), full_check=True)
