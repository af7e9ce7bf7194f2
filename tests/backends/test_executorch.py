"""The executorch backend on a small network with everything that a convolutional classifier has."""

from __future__ import annotations

import getpass
import importlib
import os
import platform
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgekit.backends.executorch import ExecuTorch, xnnpack
from edgekit.errors import LoweringError, Misfit, UnsupportedOperator
from edgekit.frontend.preprocess import Deployed
from edgekit.frontend.store import save_program
from edgekit.ir.artifact import Artifact, Operator
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.quantize import QuantizePass
from edgekit.specs.profile import Activations, Quantize, Weights
from edgekit.specs.project import Input
from edgekit.specs.target import Runtime, Target


RUNTIME = Runtime(backend="executorch", delegates=("xnnpack",))
PIXELS = Input.model_validate(
    {
        "shape": [3, 16, 16],
        "preprocess": {"from": "uint8 NHWC", "scale": 1 / 255, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]},
    }
)
IMAGE = TensorSpec("image", "uint8", (1, 16, 16, 3))


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
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))


MACS = {"stem": 8 * 8 * 8 * 27, "depthwise": 8 * 8 * 8 * 9, "pointwise": 8 * 8 * 8 * 8, "head": 5 * 8}
WEIGHTS = {"stem": 8 * 27, "depthwise": 8 * 9, "pointwise": 8 * 8, "head": 5 * 8}


def capture(model: nn.Module, *specs: TensorSpec) -> Program:
    """The model as the frontend hands it over, with a single output."""
    random = np.random.default_rng(0)
    arrays = [(random.random(spec.shape) * 255).astype(spec.dtype) for spec in specs]
    examples = tuple(map(torch.from_numpy, arrays))
    with torch.no_grad():
        exported = torch.export.export(model.eval(), examples)
        result = model(*examples)
    return Program(exported, Signature(specs, (TensorSpec("output", "float32", tuple(result.shape)),)))


def images(count: int) -> list[tuple[Tensor, ...]]:
    random = np.random.default_rng(1)
    return [(torch.from_numpy(random.integers(0, 256, IMAGE.shape, np.uint8)),) for _ in range(count)]


def quantize(program: Program, recipe: Quantize | None = None, samples: list[tuple[Tensor, ...]] | None = None) -> Program:
    recipe, samples = recipe or Quantize(), samples or images(16)
    return QuantizePass(recipe, ExecuTorch().quantization(recipe, RUNTIME), samples)(program, samples[:2])


def run(artifact: Artifact, samples: list[tuple[Tensor, ...]]) -> np.ndarray:
    from executorch.runtime import Runtime as Engine

    method = Engine.get().load_program(artifact.files[0]).load_method("forward")
    return np.concatenate([method.execute(list(sample))[0].numpy().copy() for sample in samples])


def reference(program: Program, samples: list[tuple[Tensor, ...]]) -> np.ndarray:
    module = program.exported.module()
    with torch.no_grad():
        return np.concatenate([module(*sample).numpy() for sample in samples])


def named(artifact: Artifact, name: str) -> list[Operator]:
    return [operator for operator in artifact.placement.operators if operator.name == name]


@pytest.fixture(scope="module")
def target() -> Target:
    return Target.model_validate(
        {
            "schema": 1,
            "id": "board",
            "title": "A board",
            "family": "boards",
            "sources": ["none: it exists in this test"],
            "cpu": {"cores": ["1x core"]},
            "memory": {"ram_mb": 1024},
            "runtime": [RUNTIME.model_dump()],
            "deploy": {"transport": "ssh", "root": "/opt/edgekit"},
        }
    )


@pytest.fixture(scope="module")
def lower(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Program], Artifact]:
    def lowered(program: Program) -> Artifact:
        return ExecuTorch().lower(program, target, RUNTIME, tmp_path_factory.mktemp("lowered"))

    return lowered


@pytest.fixture(scope="module", autouse=True)
def _as_in_the_worker() -> Iterator[None]:
    """The converter imported as the worker imports it, whatever it warns of then; one thread."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in ExecuTorch.preload:
            importlib.import_module(module)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def program() -> Program:
    torch.manual_seed(0)
    return capture(Deployed(Net(), {"image": PIXELS}), IMAGE)


@pytest.fixture(scope="module")
def floating(program: Program, lower: Callable[[Program], Artifact]) -> Artifact:
    return lower(program)


@pytest.fixture(scope="module")
def quantized(program: Program) -> Program:
    return quantize(program)


@pytest.fixture(scope="module")
def integer(quantized: Program, lower: Callable[[Program], Artifact]) -> Artifact:
    return lower(quantized)


def test_float_file_computes_what_torch_computes(program: Program, floating: Artifact) -> None:
    np.testing.assert_allclose(run(floating, images(8)), reference(program, images(8)), atol=1e-4)


def test_signature_is_what_the_loaded_file_takes_under_the_programs_names(floating: Artifact) -> None:
    assert floating.signature == Signature((IMAGE,), (TensorSpec("output", "float32", (1, 5)),))


def test_multiply_accumulates_are_those_of_the_network(floating: Artifact, integer: Artifact) -> None:
    for artifact in (floating, integer):
        assert [operator.macs for operator in artifact.placement.operators if operator.macs] == list(MACS.values())


def test_only_the_way_from_uint8_to_float_falls_back(floating: Artifact, integer: Artifact) -> None:
    for artifact in (floating, integer):
        fallen = [operator.name for operator in artifact.placement.operators if operator.delegate is None]
        assert fallen == ["aten::permute_copy.out", "dim_order_ops::_to_dim_order_copy.out"]
        assert artifact.placement.delegated + artifact.placement.fallback == pytest.approx(1)


def test_float_file_holds_no_integers(floating: Artifact) -> None:
    assert (floating.integer, floating.integer_macs) == (0, 0)


def test_int8_file_stores_and_multiplies_integers(integer: Artifact) -> None:
    assert integer.integer == 1.0
    assert integer.integer_macs == 1.0
    assert all(operator.integer for operator in named(integer, "Add")[1:])


def test_int8_file_computes_nearly_what_torch_computes(program: Program, integer: Artifact) -> None:
    assert sqnr_db(reference(program, images(32)), run(integer, images(32))) > 20


def test_preprocessing_stays_in_float(integer: Artifact) -> None:
    assert [operator.integer for operator in named(integer, "Multiply")] == [False]
    assert not named(integer, "Add")[0].integer
