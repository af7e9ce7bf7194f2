"""The executorch backend on ResNet-20 and CIFAR-10, where the case is at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edgekit.backends.executorch import ExecuTorch
from edgekit.frontend.capture import capture
from edgekit.frontend.load import batches, load
from edgekit.samples import load_samples
from edgekit.specs.compression import Quantize
from edgekit.specs.project import Project
from tests.backends.executorch_examples import RUNTIME, TARGET, quantize, run

PLACES = [parent / "shared" / "cases" / "resnet20-cifar10" for parent in Path(__file__).resolve().parents]
CASE = next(filter(Path.is_dir, PLACES), PLACES[-1])
pytestmark = [
    pytest.mark.skipif(not CASE.is_dir(), reason="the case 'resnet20-cifar10' is not beside this checkout"),
    pytest.mark.lowers,
]

MACS = 40_551_040
"""As torch's own FlopCounterMode counts them: 19 convolutions and a linear layer."""


def test_int8_keeps_the_answers_at_a_third_of_the_size(tmp_path: Path) -> None:
    project = Project.read(CASE)
    program = capture(load(project))
    evaluation = load_samples(project, "evaluation", 100)
    images = batches(evaluation, project)
    network = program.exported.module()
    with torch.no_grad():
        expected = np.concatenate([network(*image).numpy() for image in images]).argmax(1)
    weights_bytes = sum(value.nbytes for value in program.exported.state_dict.values())
    calibration = batches(load_samples(project, "calibration", 32), project)
    artifact = ExecuTorch().lower(quantize(program, Quantize(), calibration), TARGET, RUNTIME, tmp_path)
    answers = run(artifact, images).argmax(1)
    assert artifact.macs == MACS
    assert (artifact.integer, artifact.integer_macs) == (1, 1)
    assert artifact.size_bytes / weights_bytes < 0.30
    assert artifact.placement.fallback < 0.002
    assert np.mean(answers == expected) > 0.95
    assert np.mean(answers == evaluation.labels) > np.mean(expected == evaluation.labels) - 0.03
