"""Forms of an exported graph that onnxruntime fuses, or runs for nothing, and the same numbers as before."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.backends.onnx.export import to_onnx
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec


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
