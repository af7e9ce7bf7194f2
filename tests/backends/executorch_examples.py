"""A small network, its program, and the executorch backend's way with it."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgekit.backends.executorch import ExecuTorch
from edgekit.frontend.preprocess import Deployed
from edgekit.ir.artifact import Artifact, Operator
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.passes.quantization.quantize import QuantizePass
from edgekit.specs.compression import Quantize
from edgekit.specs.inputs import Input
from edgekit.specs.target import RuntimeSpec
from tests.backends.boards import board

with warnings.catch_warnings():
    # As the worker imports them, whatever they warn of.
    warnings.simplefilter("ignore")
    for module in ExecuTorch.preload:
        importlib.import_module(module)

Samples = list[tuple[Tensor, ...]]

RUNTIME = RuntimeSpec(backend="executorch", delegates=("xnnpack",))
TARGET = board(RUNTIME)
IMAGE = TensorSpec("image", "uint8", (1, 16, 16, 3))
PIXELS = Input.model_validate(
    {
        "shape": [3, 16, 16],
        "preprocess": {"from": "uint8 NHWC", "scale": 1 / 255, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]},
    }
)


class Net(nn.Module):
    """Stem, depthwise separable convolution with a residual, head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.depthwise = nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.pointwise = nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = F.relu(x + self.pointwise(F.relu(self.depthwise(x))))
        output: Tensor = self.head(x.mean((2, 3)))
        return output


MACS = {"stem": 64 * 8 * 27, "depthwise": 64 * 8 * 9, "pointwise": 64 * 8 * 8, "head": 8 * 5}
WEIGHTS = {"stem": 8 * 27, "depthwise": 8 * 9, "pointwise": 8 * 8, "head": 8 * 5}


def net() -> Program:
    """`Net` with random weights, and with preprocessing as the frontend bakes it in."""
    torch.manual_seed(0)
    return capture(Deployed(Net(), {"image": PIXELS}), IMAGE)


def capture(model: nn.Module, spec: TensorSpec) -> Program:
    """A model of one input and one output as the frontend hands it over."""
    example = torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype))
    with torch.no_grad():
        exported = torch.export.export(model.eval(), (example,))
        result = model(example)
    return Program(exported, Signature((spec,), (TensorSpec("output", "float32", tuple(result.shape)),)))


def images(count: int) -> Samples:
    random = np.random.default_rng(1)
    return [(torch.from_numpy(random.integers(0, 256, IMAGE.shape, np.uint8)),) for _ in range(count)]


def quantize(program: Program, recipe: Quantize, samples: Samples) -> Program:
    return QuantizePass(recipe, lambda recipe_of_pass: ExecuTorch().quantization(recipe_of_pass, RUNTIME), samples)(
        program, samples[:2]
    )


def reference(program: Program, samples: Samples) -> Array:
    module = program.exported.module()
    with torch.no_grad():
        return np.concatenate([module(*sample).numpy() for sample in samples])


def run(artifact: Artifact, samples: Samples) -> Array:
    from executorch.runtime import Runtime as Engine

    method = Engine.get().load_program(artifact.files[0]).load_method("forward")
    return np.concatenate([method.execute(list(sample))[0].numpy().copy() for sample in samples])


def named(artifact: Artifact, name: str) -> list[Operator]:
    return [operator for operator in artifact.placement.operators if operator.name == name]
