"""The onnx backend on a trained network and real images, where that case is at hand."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edgekit.backends.onnx import Onnx
from edgekit.frontend.capture import capture
from edgekit.frontend.load import batches, load
from edgekit.ir.artifact import Artifact
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.passes.quantization.quantize import QuantizePass
from edgekit.samples import Samples, load_samples
from edgekit.specs.compression import Quantize
from edgekit.specs.project import Project
from tests.backends.boards import onnx_board, onnx_session

PLACES = [parent / "shared" / "cases" / "resnet20-cifar10" for parent in Path(__file__).resolve().parents]
CASE = next(filter(Path.is_dir, PLACES), PLACES[-1])
pytestmark = [
    pytest.mark.skipif(not CASE.is_dir(), reason="the case 'resnet20-cifar10' is not beside this checkout"),
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.lowers,
]

MACS = 40_551_040
"""He et al. 2015 state 40.6 million for this network."""


@pytest.fixture(scope="module")
def project() -> Project:
    return Project.read(CASE)


@pytest.fixture(scope="module")
def program(project: Project) -> Program:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)  # the case's folder is not ours
        return capture(load(project))


@pytest.fixture(scope="module")
def evaluation(project: Project) -> Samples:
    return load_samples(project, "evaluation", 300)


@pytest.fixture(scope="module")
def floating(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return Onnx().lower(program, *onnx_board("int8"), tmp_path_factory.mktemp("float"))


@pytest.fixture(scope="module", params=["int8", "uint8"])
def quantized(
    request: pytest.FixtureRequest, project: Project, program: Program, tmp_path_factory: pytest.TempPathFactory
) -> Artifact:
    calibration = batches(load_samples(project, "calibration", 32), project)
    target, runtime = onnx_board(request.param)
    recipe = Quantize()
    quantize = QuantizePass(recipe, lambda requested: Onnx().quantization(requested, runtime), calibration)
    return Onnx().lower(quantize(program, calibration[:2]), target, runtime, tmp_path_factory.mktemp("quantized"))


def answers(artifact: Artifact, samples: Samples) -> np.ndarray:
    session = onnx_session(artifact)
    logits = [session.run(None, {"image": image[None]})[0] for image in samples.inputs["image"]]
    output: Array = np.concatenate(logits).argmax(1)
    return output


def test_all_19_convolutions_and_all_9_additions_run_on_integers(quantized: Artifact) -> None:
    count = Counter(operator.name for operator in quantized.placement.operators)
    assert (count["QLinearConv"], count["QLinearAdd"], count["QGemm"]) == (19, 9, 1)
    assert (quantized.integer, quantized.integer_macs) == (1.0, 1.0)


def test_quantization_changes_no_multiply_accumulate(floating: Artifact, quantized: Artifact) -> None:
    assert floating.macs == quantized.macs == MACS


def test_the_file_shrinks_to_less_than_three_tenths(floating: Artifact, quantized: Artifact) -> None:
    assert quantized.size_bytes < 0.3 * floating.size_bytes


def test_the_answers_stay_the_same(floating: Artifact, quantized: Artifact, evaluation: Samples) -> None:
    assert (answers(quantized, evaluation) == answers(floating, evaluation)).mean() >= 0.97


def test_the_float_file_scores_as_the_network_does(floating: Artifact, evaluation: Samples) -> None:
    assert (answers(floating, evaluation) == evaluation.labels).mean() > 0.83
