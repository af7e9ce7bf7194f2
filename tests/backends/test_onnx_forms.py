"""Forms of an exported graph that onnxruntime fuses, or runs for nothing, and the same numbers as before."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.backends.onnx.export import to_onnx
from edgekit.backends.onnx.root_mean_square import divide_by_root
from edgekit.backends.onnx.views import join_views
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec

if TYPE_CHECKING:
    import onnx


class Heads(nn.Module):
    """Norms by the root mean square, and four heads of eight, transposed before and after a product."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.RMSNorm(32, 1e-5), nn.RMSNorm(32, 1e-5)
        self.query, self.out = nn.Linear(32, 32, bias=False), nn.Linear(32, 32, bias=False)
        nn.init.uniform_(self.before.weight)

    def forward(self, x: Tensor) -> Tensor:
        count = x.shape[1]
        heads = self.query(self.before(x)).reshape(1, count, 4, 8).transpose(1, 2)
        weighed = (heads @ heads.transpose(2, 3)).softmax(-1) @ heads
        normed: Tensor = self.after(x + self.out(weighed.transpose(1, 2).reshape(1, count, 32)))
        return normed


@pytest.mark.parametrize(("count", "transposes"), [(1, 0), (3, 3)])
def test_norms_are_fused_and_single_tokens_are_not_transposed(tmp_path: Path, count: int, transposes: int) -> None:
    import onnx
    import onnxruntime

    torch.manual_seed(0)
    network, x = Heads().eval(), torch.randn(1, count, 32)
    edge = TensorSpec("x", "float32", (1, count, 32))
    program = Program(torch.export.export(network, (x,)), Signature((edge,), (replace(edge, name="y"),)))
    model = to_onnx(program)
    assert Counter(node.op_type for node in model.graph.node)["Transpose"] == transposes
    settings = onnxruntime.SessionOptions()
    settings.optimized_model_filepath, settings.log_severity_level = str(tmp_path / "optimized.onnx"), 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)
    norms = kinds["SimplifiedLayerNormalization"] + kinds["SkipSimplifiedLayerNormalization"]
    assert (norms, kinds["Reciprocal"], kinds["Pow"]) == (2, 0, 0)
    np.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], network(x).detach().numpy(), atol=1e-5)
    # TensorRT fuses its own forms.
    assert any(node.op_type == "Reciprocal" for node in to_onnx(program, integer_forms=False).graph.node)


VIEWS: dict[str, tuple[str, list[str], dict[str, Array]]] = {
    "permutations of axes of size 1, and one that moves the batch": (
        """<ir_version: 10, opset_import: ["" : 18]> views (float[N, 1, 8, 4] x)
        => (float[N, 8, 1, 4] a, float[8, 1, N, 4] b) {
            a = Transpose <perm = [0, 2, 1, 3]> (x)
            b = Transpose <perm = [2, 1, 0, 3]> (x)
        }""",
        ["Reshape", "Transpose"],
        {"x": np.random.default_rng(0).normal(size=(3, 1, 8, 4)).astype(np.float32)},
    ),
    "views behind each other, of integers, one of them given out": (
        """<ir_version: 10, opset_import: ["" : 18]> views (int64[1, 6, 4] x) => (int64[4, 6, 1] a, int64[6, 4] b)
        <int64[2] flat = {6, 4}, int64[1] last = {2}, int64[2] two = {4, 6}> {
            b = Reshape (x, flat)
            c = Unsqueeze (b, last)
            d = Squeeze (c)
            e = Reshape (d, two)
            a = Unsqueeze (e, last)
        }""",
        ["Reshape", "Unsqueeze", "Squeeze", "Reshape", "Unsqueeze"],
        {"x": np.arange(24, dtype=np.int64).reshape(1, 6, 4)},
    ),
    "an empty axis": (
        """<ir_version: 10, opset_import: ["" : 18]> views (float[1, 0, 4] x) => (float[0, 1, 4] a) {
            a = Transpose <perm = [1, 0, 2]> (x)
        }""",
        ["Transpose"],
        {"x": np.zeros((1, 0, 4), np.float32)},
    ),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_move_no_value(name: str) -> None:
    import onnx
    import onnx_ir as ir

    text, kinds, feeds = VIEWS[name]
    given = onnx.parser.parse_model(text)
    model = ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(given))
    join_views(model.graph)
    assert [node.op_type for node in model.graph] == kinds
    assert all(node.inputs[0] is model.graph.inputs[0] for node in model.graph if node.op_type == "Reshape")
    for ours, before in zip(_outputs(ir.serde.serialize_model(model), feeds), _outputs(given, feeds), strict=True):
        np.testing.assert_array_equal(ours, before, strict=True)


NORM = """<ir_version: 10, opset_import: ["" : 18]> norm (float[N, 64] x) => (float[N, 64] y)
<float two = {2.0}, float small = {0.00001}, int64[1] last = {-1}> {
    squares = Pow (x, two)
    mean = ReduceMean <keepdims = 1> (squares, last)
    total = Add (mean, small)
    root = Sqrt (total)
    inverse = Reciprocal (root)
    y = Mul (OPERANDS)
}"""


@pytest.mark.parametrize("operands", ["x, inverse", "inverse, x", "squares, inverse"])
def test_a_quotient_by_the_root_is_the_product_to_the_last_places(operands: str) -> None:
    import onnx
    import onnx_ir as ir

    given = onnx.parser.parse_model(NORM.replace("OPERANDS", operands))
    model = ir.serde.deserialize_model(given)
    divide_by_root(model.graph)
    assert model.graph[-1].op_type == ("Mul" if "squares" in operands else "Div")
    random = np.random.default_rng(0)
    # Activations of decoders, with a channel that is a thousand times the others, silence, and the least numbers.
    rows = random.standard_normal((8, 64)) * np.array([1, 1, 1e3, 1e-3, 1e-20, 1e8, 0, 1])[:, None]
    rows[7, 5] *= 1000
    feeds = {"x": rows.astype(np.float32)}
    (ours,), (before,) = _outputs(ir.serde.serialize_model(model), feeds), _outputs(given, feeds)
    np.testing.assert_allclose(ours, before, rtol=1e-6, atol=0)


def _outputs(model: onnx.ModelProto, feeds: dict[str, Array]) -> list[Array]:
    """What onnxruntime gives for `feeds`, with all that it fuses."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    made: list[Array] = session.run(None, feeds)
    return made
