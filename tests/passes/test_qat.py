"""Training with simulated quantization, for the quantizers of all three backends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edgekit.errors import PassError
from edgekit.examples import folder
from edgekit.frontend.capture import capture
from edgekit.frontend.load import Model, batches, load
from edgekit.passes.base import outputs
from edgekit.passes.pruning.prune import prune
from edgekit.passes.quantization.quantize import Quantization, QuantizePass
from edgekit.passes.recovery.fake_quantize import calibrate, fake_quantized, trained_weights
from edgekit.passes.recovery.qat import train_quantized
from edgekit.pipeline.request import resolve_requests
from edgekit.samples import Samples, load_samples
from edgekit.specs.compression import Prune, Quantize, Recover, Weights
from edgekit.specs.project import Project

BACKENDS = ("executorch", "onnx", "tflite")
PER_TENSOR = Quantize(weights=Weights(granularity="per-tensor"))

# executorch reads its own resources in a deprecated way, once, when it is first imported.
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.trains]


@pytest.fixture(scope="module")
def digits() -> Model:
    return load(Project.read(folder("digits")))


def quantization(project: Project, backend: str, recipe: Quantize) -> Quantization:
    request = resolve_requests(project, "raspberry-pi-5", backend, None)[0]
    outcome: Quantization = request.backend().quantization(recipe, request.runtime)
    return outcome


def accuracy(model: Model, recipe: Quantize, backend: str, evaluation: Samples) -> float:
    """Of the model quantized after training as any other, on its evaluation set."""
    project = model.project
    calibration = batches(load_samples(project, "calibration", 100), project)
    quantize = QuantizePass(recipe, lambda wanted: quantization(project, backend, wanted), calibration)
    program = quantize(capture(model), calibration[:1])
    answers = outputs(program.exported, batches(evaluation, project)).reshape(-1, 10).argmax(1)
    return float(np.mean(answers == evaluation.labels))


def test_weights_are_trained_through_the_rounding(digits: Model, tmp_path: Path) -> None:
    evaluation = load_samples(digits.project, "evaluation", 300)
    calibration = batches(load_samples(digits.project, "calibration", 100), digits.project)
    recipe = Recover(epochs=1, batch=32, learning_rate=0.1, quantization_aware_epochs=4)
    wanted = quantization(digits.project, "onnx", PER_TENSOR)
    told: list[str] = []
    training = load_samples(digits.project, "training")
    pruned = prune(digits, Prune(macs=0.4), None)
    trained = train_quantized(pruned, digits, wanted, recipe, training, calibration, tmp_path, told.append)
    before, after = (accuracy(model, PER_TENSOR, "onnx", evaluation) for model in (pruned, trained))
    assert before < 0.8
    assert after > 0.93
    assert [record.name for record in trained.history] == ["prune", "train-quantized"]
    options = dict(trained.history[-1].options)
    assert abs(float(options["validation before"]) - before) < 0.1  # what is validated is what quantization makes
    assert abs(float(options["validation after"]) - after) < 0.05
    assert told[-1].startswith("trained for 4 epochs")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_simulated_network_answers_as_the_quantized_one(digits: Model, backend: str) -> None:
    calibration = batches(load_samples(digits.project, "calibration", 50), digits.project)
    wanted = quantization(digits.project, backend, PER_TENSOR)
    network = fake_quantized(digits, wanted, 16)
    calibrate(network, calibration)
    quantize = QuantizePass(PER_TENSOR, lambda recipe: quantization(digits.project, backend, recipe), calibration)
    program = quantize(capture(digits), calibration[:1])
    scans = load_samples(digits.project, "evaluation", 24)
    expected = outputs(program.exported, batches(scans, digits.project)).reshape(-1, 10)
    outcome = network(torch.from_numpy(scans.inputs["image"]))
    assert outcome.shape == (24, 10)  # not a multiple of the batch
    step = float(np.abs(expected).max()) / 127
    assert float(np.abs(outcome.detach().numpy() - expected).mean()) < step
    # and it can be trained: every weight that it computes with has a gradient
    outcome.square().sum().backward()
    names = trained_weights(network)
    gradients = {name: network.program.get_parameter(f"weights.{name}").grad for name in names}
    assert set(gradients) == {name for name, _ in digits.module.named_parameters()}
    assert all(gradient is not None and bool(gradient.any()) for gradient in gradients.values())


def test_without_data_it_is_refused(digits: Model, tmp_path: Path) -> None:
    training = load_samples(digits.project, "training", 20)
    wanted = quantization(digits.project, "onnx", Quantize())
    recipe = Recover(epochs=1, quantization_aware_epochs=1)
    for samples, calibration in ((training.take([]), [digits.examples]), (training, [])):
        with pytest.raises(PassError, match="needs training and calibration data"):
            train_quantized(digits, digits, wanted, recipe, samples, calibration, tmp_path, print)
