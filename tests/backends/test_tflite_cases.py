"""The tflite backend on a trained network: small, integer, delegated, and right. `EDGEKIT_CASES` says where it is."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter

from edgekit.backends.tflite import TFLite
from edgekit.frontend.capture import capture
from edgekit.frontend.load import batches, load
from edgekit.ir.artifact import Artifact
from edgekit.ir.measurement import Array
from edgekit.passes.quantization.quantize import QuantizePass
from edgekit.samples import Samples, load_samples
from edgekit.specs.compression import Quantize
from edgekit.specs.project import Project
from edgekit.specs.target import RuntimeSpec
from tests.backends.boards import board

pytestmark = pytest.mark.lowers

XNNPACK = RuntimeSpec(backend="tflite", delegates=("xnnpack",))
CASES = os.environ.get("EDGEKIT_CASES")


def folder(name: str) -> Path:
    if not CASES or not (Path(CASES) / name).is_dir():
        pytest.skip(f"EDGEKIT_CASES names no folder with '{name}' in it")
    return Path(CASES) / name


def logits(artifact: Artifact, samples: Samples) -> Array:
    """float32 [N, 10]."""
    interpreter = Interpreter(str(artifact.files[0]))
    interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner()
    return np.concatenate([runner(image=image[None])["output"] for image in samples.inputs["image"]])


def test_a_trained_network_becomes_small_and_integer_and_stays_right(tmp_path: Path) -> None:
    project = Project.read(folder("resnet20-cifar10"))
    model = load(project)
    program = capture(model)
    calibration = batches(load_samples(project, "calibration", 128), project)
    evaluation = load_samples(project, "evaluation", 1000)
    recipe = Quantize()
    quantization = partial(TFLite().quantization, runtime=XNNPACK)
    small = QuantizePass(recipe, quantization, calibration)(program, calibration[:4])
    (tmp_path / "float").mkdir()
    whole = TFLite().lower(program, board(XNNPACK), XNNPACK, tmp_path / "float")
    artifact = TFLite().lower(small, board(XNNPACK), XNNPACK, tmp_path)

    assert artifact.integer == 1
    assert artifact.integer_macs == 1
    assert artifact.macs == whole.macs
    assert artifact.placement.fallback < 0.001
    assert artifact.size_bytes < 0.29 * whole.size_bytes
    with torch.no_grad():
        reference = model.module(torch.from_numpy(evaluation.inputs["image"])).numpy()
    got = logits(artifact, evaluation)
    assert np.mean(got.argmax(1) == reference.argmax(1)) > 0.97
    drop = np.mean(reference.argmax(1) == evaluation.labels) - np.mean(got.argmax(1) == evaluation.labels)
    assert drop < 0.015
    np.testing.assert_allclose(logits(whole, evaluation.take(range(20))), reference[:20], atol=1e-3)
