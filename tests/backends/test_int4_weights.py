"""int4 weights of a file are those of one rule, whatever the backend: read off what its kernels compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgekit.backends.verify import verify
from edgekit.frontend.capture import capture
from edgekit.frontend.load import Model, batches
from edgekit.frontend.preprocess import Deployed
from edgekit.passes.quantization.group_scales import grouped_weight
from edgekit.pipeline.request import resolve_requests
from edgekit.samples import Samples
from edgekit.specs.compression import Quantize, Weights
from edgekit.specs.inputs import Input
from edgekit.specs.project import Project
from tests.networks import write_project

# Converters import modules that warn of their own deprecated calls.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.lowers,
]
INPUTS, OUTPUTS, GROUP = 64, 48, 32


@pytest.mark.parametrize(
    ("backend", "granularity"),
    [
        ("onnx", "per-group"),
        ("executorch", "per-group"),
        ("tflite", "per-group"),
        ("executorch", "per-channel"),
        ("tflite", "per-channel"),
    ],
)
def test_kernels_compute_with_the_weights_of_least_error(backend: str, granularity: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(INPUTS, OUTPUTS, bias=False)
    with torch.no_grad():
        layer.weight[0] *= 1e-4  # where a scale of float16 has few bits left
        layer.weight[1, :GROUP] = 0
    project = Project.read(write_project(tmp_path))
    project = project.model_copy(update={"inputs": {"x": Input.model_validate({"shape": [INPUTS]})}})
    samples = Samples({"x": np.eye(INPUTS, dtype=np.float32)}, np.zeros(INPUTS))  # answers are the weight's columns
    model = Model(Deployed(layer, project.inputs).eval(), project, batches(samples, project)[0])
    request = resolve_requests(project, "raspberry-pi-5", backend, None)[0]
    weights = Weights.model_validate({"dtype": "int4", "granularity": granularity, "group": GROUP})
    recipe = Quantize(mode="weight-only", weights=weights)
    (tmp_path / "checks").mkdir()
    samples.save(tmp_path / "checks")
    program = capture(model)
    artifact = request.backend().lower(program, request.target, request.runtime, tmp_path, recipe)
    verify(artifact, program, tmp_path / "checks", tmp_path / "golden", recipe)
    (answers,) = (np.load(path) for path in (tmp_path / "golden" / "outputs").iterdir())
    rounded = grouped_weight(layer.weight, GROUP if granularity == "per-group" else INPUTS)
    assert np.abs(answers.T - rounded.real.numpy()).max() < 0.02 * float(rounded.scales.max())
    assert np.abs(answers.T[0] - rounded.real.numpy()[0]).max() < 0.02 * float(rounded.scales[0].max())
