"""A small MobileNetV3 in int8: hard-swish and squeeze-excite stay on integers, in one piece, on every backend."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from edgekit.backends.npu_check import check_on_npu
from edgekit.backends.onnx.graph_steps import graph_steps
from edgekit.backends.verify import verify
from edgekit.frontend.preprocess import Deployed
from edgekit.ir.artifact import Artifact
from edgekit.ir.program import REMARK, Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.passes.quantization.quantize import QuantizePass
from edgekit.runner.machine.runtime_versions import version_of
from edgekit.runner.runtimes.qnn_library import DISTRIBUTION
from edgekit.specs.catalog import Catalog
from edgekit.specs.compression import Quantize
from edgekit.specs.inputs import Input
from edgekit.specs.target import Target
from tests.backends.loaded_backend import loaded_backend

pytestmark = pytest.mark.lowers

Samples = list[tuple[Tensor, ...]]
PER_FUNCTION = {
    # What one of the two hard-swishes is spelled in, and what a gate costs beside its two convolutions.
    "executorch": {"Hardswish": 2, "Multiply": 1, "Clamp": 0},
    "onnx": {"Clip": 2, "QLinearMul": 3, "HardSigmoid": 0},
    "tflite": {"ADD": 3, "MUL": 3, "HARD_SWISH": 0, "MEAN": 2},
}
"""TFLite's third ADD is the residual one: no MUL by a sixth is left."""


class Gate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers = (nn.Conv2d(24, 8, 1), nn.ReLU(), nn.Conv2d(8, 24, 1), nn.Hardsigmoid())
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), *layers)

    def forward(self, x: Tensor) -> Tensor:
        product: Tensor = x * self.gate(x)
        return product


class Net(nn.Module):
    """Stem; expansion, depthwise, gate and projection with a residual; mean; linear."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU())
        expansion = (nn.Conv2d(16, 24, 1), nn.Hardswish())
        depthwise = (nn.Conv2d(24, 24, 3, padding=1, groups=24), nn.Hardswish())
        self.body = nn.Sequential(*expansion, *depthwise, Gate(), nn.Conv2d(24, 16, 1))
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.body(x)
        logits: Tensor = self.head(x.mean((2, 3)))
        return logits


@pytest.fixture(scope="module")
def samples() -> Samples:
    generator = torch.Generator().manual_seed(7)
    return [(torch.randn((1, 3, 12, 12), generator=generator) * 2,) for _ in range(16)]


@pytest.fixture(scope="module")
def program(samples: Samples) -> Program:
    torch.manual_seed(0)
    net = Deployed(Net(), {"image": Input(shape=(3, 12, 12))}).eval()
    for name, weights in net.named_parameters():
        # Wide enough that hard-swish is used on both of its sides.
        weights.data *= 3 if name.endswith("weight") else 1
    edges = Signature((TensorSpec("image", "float32", (1, 3, 12, 12)),), (TensorSpec("output", "float32", (1, 5)),))
    return Program(torch.export.export(net, samples[0]), edges)


def lowered(name: str, target: Target, program: Program, samples: Samples, out: Path) -> tuple[Program, Artifact]:
    """The program quantized for a backend of the target, and lowered."""
    backend = loaded_backend(name)
    runtime = target.select_runtime(name)
    quantize = QuantizePass(Quantize(), lambda wanted_recipe: backend.quantization(wanted_recipe, runtime), samples)
    quantized = quantize(program, samples[:4])
    return quantized, backend.lower(quantized, target, runtime, out)


@pytest.fixture(scope="module", params=sorted(PER_FUNCTION))
def built(
    request: pytest.FixtureRequest, program: Program, samples: Samples, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Program, Artifact]:
    out = tmp_path_factory.mktemp(request.param)
    return request.param, *lowered(request.param, Catalog.default().target("host"), program, samples, out)


def test_every_convolution_and_product_runs_on_integers(built: tuple[str, Program, Artifact]) -> None:
    operators = built[2].placement.operators
    assert sum(operator.macs for operator in operators if operator.integer) == sum(op.macs for op in operators)
    assert {operator.delegate for operator in operators} <= {"xnnpack", "cpu"}


def test_functions_are_spelled_in_few_integer_operators(built: tuple[str, Program, Artifact]) -> None:
    backend, _, artifact = built
    counts = Counter(operator.name for operator in artifact.placement.operators)
    assert {name: counts[name] for name in PER_FUNCTION[backend]} == PER_FUNCTION[backend]


def test_what_is_spelled_answers_as_the_network(
    built: tuple[str, Program, Artifact], samples: Samples, tmp_path: Path
) -> None:
    import numpy as np

    _, quantized, artifact = built
    assert quantized.history[-1].sqnr_db is not None
    assert quantized.history[-1].sqnr_db > 20
    np.save(tmp_path / "image.npy", torch.cat([sample[0] for sample in samples[:4]]).numpy())
    verify(artifact, quantized, tmp_path, tmp_path / "golden")  # raises Disagreement where it does not


@pytest.mark.skipif(version_of(DISTRIBUTION) is None, reason="onnxruntime-qnn is not installed")
def test_a_hexagon_npu_takes_the_network_whole(program: Program, samples: Samples, tmp_path: Path) -> None:
    import numpy as np

    target = Catalog.default().target("snapdragon-8-gen-3")
    quantized, artifact = lowered("onnx", target, program, samples, tmp_path)
    np.save(tmp_path / "image.npy", torch.cat([sample[0] for sample in samples[:4]]).numpy())
    verify(artifact, quantized, tmp_path, tmp_path / "golden")
    told = dict(check_on_npu(artifact, target, tmp_path, tmp_path, lambda: program).options)
    assert "graphs" not in told[REMARK]
    assert set(told["left to the CPU"].split(", ")) <= {"1 QuantizeLinear", "1 DequantizeLinear"}
    counts = Counter(step.operator for step in graph_steps(artifact.entry))
    assert (counts["HardSwish"], counts["Clip"], counts["HardSigmoid"]) == (2, 0, 0)
