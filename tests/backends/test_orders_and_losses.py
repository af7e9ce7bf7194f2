"""Files of networks that answer with indices: orders compared by value, and a refusal that names whose loss it is."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit.backends.index_values import index_orders, index_sources
from edgekit.backends.program_outputs import program_outputs
from edgekit.backends.verify import verify
from edgekit.errors import Disagreement
from edgekit.frontend.canonical import canonical
from edgekit.ir.artifact import Artifact
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.runner.runtimes import executorch, onnx, tflite
from edgekit.specs.catalog import Catalog
from tests.backends.loaded_backend import loaded_backend

RUNTIMES: dict[str, Any] = {
    "executorch": executorch.ExecuTorchRuntime,
    "onnx": onnx.OnnxRuntime,
    "tflite": tflite.TFLiteRuntime,
}
SIGNATURE = Signature(
    (TensorSpec("x", "float32", (1, 6)),),
    (
        TensorSpec("scores", "float32", (1, 8)),
        TensorSpec("best", "int64", (1,)),
        TensorSpec("order", "int64", (1, 8)),
        TensorSpec("top", "int64", (1, 3)),
    ),
)
X = np.random.default_rng(0).standard_normal((6, 6)).astype(np.float32)


class Ranking(nn.Module):
    """Scores of eight, four and four of which are equal, with the best, the order, and the three best."""

    def __init__(self, factor: float, sorts: bool) -> None:
        super().__init__()
        self.sorts = sorts
        torch.manual_seed(0)
        weight = torch.randn(4, 6)
        self.weight = nn.Parameter(torch.cat([weight, weight]) * torch.tensor([[factor]] + [[1.0]] * 7))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        scores = x @ self.weight.T
        order = scores.argsort(-1, descending=True) if self.sorts else scores.topk(8, -1)[1]
        return scores, scores.argmax(-1), order, scores.topk(3, -1)[1]


def ranking(factor: float = 1.0, sorts: bool = True) -> Program:
    return Program(canonical(torch.export.export(Ranking(factor, sorts).eval(), (torch.zeros(1, 6),))), SIGNATURE)


def test_indices_are_compared_by_the_values_that_they_point_to() -> None:
    program = ranking()
    assert sorted(index_sources(program)) == [1, 2, 3]
    orders = index_orders(program, [X])
    best, order, top = program_outputs(program, [X])[1:]
    swapped = (order + 4) % 8  # each score's equal
    assert not np.array_equal(swapped, order)
    assert orders[2].sqnr_db(order, swapped) > 100
    assert orders[1].sqnr_db(best, (best + 4) % 8) > 100
    assert orders[1].sqnr_db(best, (best + 1) % 8) < 40
    # Indices that are none, or that come twice, are no order, whatever they point to.
    for wrong in (order + 8, np.full_like(order, order[0, 0])):
        assert orders[2].sqnr_db(order, wrong) == -np.inf
    tied = orders[3].with_ties(top, (top + 4) % 8)
    assert np.array_equal(tied, top)
    assert np.array_equal(orders[1].with_ties(best, (best + 1) % 8), (best + 1) % 8)


@pytest.mark.lowers
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", sorted(RUNTIMES))
def test_ties_are_no_fault_and_a_refusal_names_whose_fault_it_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", X)
    backend = loaded_backend(name)
    target = Catalog.default().target("host")

    def lowered(program: Program) -> Artifact:
        out = tmp_path / f"{id(program)}"
        out.mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            artifact: Artifact = backend.lower(program, target, target.select_runtime(name), out)
            return artifact

    sorts = name == "onnx"  # the others have no kernel for sort, only for top-k
    program = ranking(sorts=sorts)
    artifact = lowered(program)
    assert verify(artifact, program, tmp_path, tmp_path / "golden") > 60

    changed = lowered(ranking(0.8, sorts))
    delegate = "XNNPACK's delegate loses it" if name == "executorch" else "the converter loses it, not the runtime's"
    with pytest.raises(Disagreement, match=f"output 'scores'.*{delegate}"):
        verify(changed, program, tmp_path, tmp_path / "golden")

    load = RUNTIMES[name].load

    def wrong(self: Any, manifest: Any, threads: int) -> Any:
        call = load(self, manifest, threads)
        if manifest.model != artifact.files[0]:
            return call
        return lambda inputs: [call(inputs)[0] * np.float32(1.1), *call(inputs)[1:]]

    monkeypatch.setattr(RUNTIMES[name], "load", wrong)
    kernels = "XNNPACK's delegate" if name == "executorch" else "the runtime's kernels"
    with pytest.raises(Disagreement, match=f"output 'scores'.*{kernels} loses it"):
        verify(artifact, program, tmp_path, tmp_path / "golden")
