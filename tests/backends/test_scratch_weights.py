"""Large weights lie in a file while a graph is compressed: the same file as if they had been inside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgekit.backends.onnx import external_weights, scratch_weights
from edgekit.backends.onnx.export import without_large_weights
from edgekit.backends.onnx.external_weights import WEIGHTS, write_model
from edgekit.backends.onnx.scratch_weights import LEAST_BYTES, ScratchWeights, is_on_disk, read_into, values_of
from edgekit.backends.onnx.weight_compression import compress_weights
from edgekit.specs.compression import Quantize

RECIPES = {
    "weight-int4": {"mode": "weight-only", "weights": {"dtype": "int4", "granularity": "per-group", "group": 32}},
    "weight-int8": {"mode": "weight-only", "weights": {"dtype": "int8", "granularity": "per-channel"}},
    "float16": {"mode": "float16"},
    "dynamic-int8": {"mode": "dynamic", "weights": {"dtype": "int8", "granularity": "per-channel"}},
}


def gemm() -> onnx.ModelProto:
    """`Relu(x @ weight.T + bias) @ last`, x [1, 256], as the exporter writes linear layers."""
    random = np.random.default_rng(0)
    shapes = {"a.weight": (128, 256), "a.bias": (128,), "b.weight": (128, 256)}
    constants = [
        numpy_helper.from_array(random.standard_normal(shape, np.float32), name) for name, shape in shapes.items()
    ]
    nodes = [
        onnx.helper.make_node("Gemm", ["x", "a.weight", "a.bias"], ["y"], transB=1),
        onnx.helper.make_node("Relu", ["y"], ["z"]),
        onnx.helper.make_node("MatMul", ["z", "b.weight"], ["w"]),
    ]
    edges = [
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)]
        for name, shape in {"x": [1, 256], "w": [1, 256]}.items()
    ]
    graph = onnx.helper.make_graph(nodes, "graph", *edges, initializer=constants)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)


def on_disk(model: onnx.ModelProto, folder: Path) -> onnx.ModelProto:
    scratch = ScratchWeights(folder / scratch_weights.NAME)
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) >= LEAST_BYTES:
            scratch.store(tensor, numpy_helper.to_array(tensor), tensor.name)
    return model


@pytest.mark.parametrize("precision", RECIPES)
def test_compression_gives_the_same_bytes_wherever_weights_lie(tmp_path: Path, precision: str) -> None:
    recipe = Quantize.model_validate(RECIPES[precision])
    expected = compress_weights(gemm(), recipe).SerializeToString(deterministic=True)
    scratched = on_disk(gemm(), tmp_path)
    assert [is_on_disk(tensor) for tensor in scratched.graph.initializer] == [True, False, True]
    assert scratched.ByteSize() < 2000
    compressed = read_into(compress_weights(scratched, recipe))
    assert compressed.SerializeToString(deterministic=True) == expected


def test_a_check_reads_no_weight_on_disk(tmp_path: Path) -> None:
    scratched = on_disk(gemm(), tmp_path)
    kept = [tensor.name for tensor in without_large_weights(scratched).graph.initializer]
    assert kept == ["a.bias"], "32,768 elements are no more than a check copies, but lie in the file"
    onnx.checker.check_model(without_large_weights(scratched), full_check=True)


def test_weights_in_the_file_are_mapped_not_read(tmp_path: Path) -> None:
    tensor = on_disk(gemm(), tmp_path).graph.initializer[0]
    values = values_of(tensor)
    assert isinstance(values, np.memmap)
    np.testing.assert_array_equal(values, numpy_helper.to_array(gemm().graph.initializer[0]))


def test_a_large_file_has_its_weights_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    x = np.random.default_rng(1).standard_normal((1, 256), np.float32)
    (expected,) = onnxruntime.InferenceSession(gemm().SerializeToString()).run(None, {"x": x})
    monkeypatch.setattr(scratch_weights, "LARGE_BYTES", 1000)
    scratch, out = tmp_path / "scratch", tmp_path / "out"
    scratch.mkdir()
    out.mkdir()
    files = write_model(on_disk(gemm(), scratch), out / "model.onnx")
    assert files == (out / "model.onnx", out / WEIGHTS)
    assert files[0].stat().st_size < 2000
    assert files[1].stat().st_size % external_weights.ALIGNMENT == 0
    (scratch / scratch_weights.NAME).unlink()
    (answer,) = onnxruntime.InferenceSession(str(files[0])).run(None, {"x": x})
    np.testing.assert_allclose(answer, expected, rtol=1e-5)
