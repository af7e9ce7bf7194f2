"""Files of networks that read a weight twice answer as the network does, whatever their precision."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgekit.backends.verify import verify
from edgekit.frontend.capture import capture
from edgekit.frontend.load import Model, batches
from edgekit.frontend.preprocess import Deployed
from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.base import outputs
from edgekit.passes.quantization.quantize import quantize
from edgekit.pipeline.request import resolve_requests
from edgekit.samples import Samples
from edgekit.specs.compression import Quantize, Weights
from edgekit.specs.inputs import Input
from edgekit.specs.project import Project
from tests.networks import write_project

DYNAMIC = Quantize(mode="dynamic")
INT4 = Quantize(mode="weight-only", weights=Weights(dtype="int4", granularity="per-group", group=32))
COUNT = 8

# Converters import modules that warn of their own deprecated calls.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.lowers,
]


class Shared(nn.Module):
    """One branch (convolutions, a batch norm, linear layers) on a picture and on what it computes of that; and a head
    that reads the table of embeddings, as it is and turned.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv, self.bn = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3, bias=False), nn.BatchNorm2d(16)
        self.up, self.down = nn.Linear(16, 32), nn.Linear(32, 32)
        self.table, self.head = nn.Embedding(64, 32), nn.Linear(32, 64, bias=False)
        self.head.weight = self.table.weight
        statistics = dict(self.bn.named_buffers())
        nn.init.uniform_(statistics["running_mean"], -0.1, 0.1)
        nn.init.uniform_(statistics["running_var"], 0.1, 0.5)

    def branch(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.conv(F.relu(self.stem(x))))).mean((2, 3))
        output: Tensor = self.down(F.relu(self.up(x)))
        return output

    def forward(self, image: Tensor, tokens: Tensor) -> Tensor:
        output: Tensor = self.head(self.branch(image) - self.branch(F.relu(image * 0.5)) + self.table(tokens).mean(1))
        return output


class TiedLinear(nn.Module):
    """A linear layer, and another with the same weight turned, as autoencoders have it."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.code = nn.Linear(192, 32), nn.Linear(32, 16)

    def forward(self, x: Tensor) -> Tensor:
        code = F.relu(self.code(F.relu(self.wide(x.flatten(1)))))
        return F.linear(code, self.code.weight.t())


def check(network: type[nn.Module], backend: str, recipe: Quantize | None, folder: Path) -> float:
    """Lower the network as `recipe` says, and run the file. Returns its SQNR in dB against the network, at most that of
    any step between.
    """
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    project = Project.read(write_project(folder))
    arrays = {"image": random.integers(0, 256, (COUNT, 8, 8, 3), np.uint8)}
    if network is Shared:
        tokens = Input.model_validate({"shape": [12], "dtype": "int64"})
        project = project.model_copy(update={"inputs": {**project.inputs, "tokens": tokens}})
        arrays["tokens"] = random.integers(0, 64, (COUNT, 12))
    samples = Samples(arrays, np.zeros(COUNT))
    single = batches(samples, project)
    model = Model(Deployed(network(), project.inputs).eval(), project, single[0])
    request, program, rest = resolve_requests(project, "raspberry-pi-5", backend, None)[0], capture(model), recipe
    qualities = [np.inf]
    if recipe is not None and recipe.precision not in request.backend().at_lowering:
        before, quantization = program, partial(request.backend().quantization, runtime=request.runtime)
        program, rest = quantize(program, recipe, quantization, single, single[:1]), None
        qualities.append(sqnr_db(outputs(before.exported, single), outputs(program.exported, single)))
    (folder / "checks").mkdir()
    samples.save(folder / "checks")
    artifact = request.backend().lower(program, request.target, request.runtime, folder, rest)
    return min(*qualities, verify(artifact, program, folder / "checks", folder / "golden", rest))


@pytest.mark.parametrize("backend", ["executorch", "onnx", "tflite"])
def test_activations_rounded_as_they_come(backend: str, tmp_path: Path) -> None:
    assert check(Shared, backend, DYNAMIC, tmp_path) > 35


def test_a_shared_bias_is_rounded_to_the_scale_of_each_reader(tmp_path: Path) -> None:
    assert check(Shared, "onnx", Quantize(), tmp_path) > 35


def test_int4_weights_of_a_table_and_a_head(tmp_path: Path) -> None:
    assert check(Shared, "onnx", INT4, tmp_path) > 15


def test_a_weight_that_is_read_turned_too_does_not_end_the_runtime(tmp_path: Path) -> None:
    assert check(TiedLinear, "executorch", None, tmp_path) > 100
