"""Quantization-aware training of weights that are computed, or shared."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgekit.frontend.capture import capture
from edgekit.frontend.load import Model, batches
from edgekit.ir.measurement import Array
from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.base import outputs
from edgekit.passes.pruning.prune import prune
from edgekit.passes.quantization.quantize import Quantization, quantize
from edgekit.passes.recovery.fake_quantize import calibrate, fake_quantized, trained_weights
from edgekit.passes.recovery.qat import train_quantized
from edgekit.pipeline.request import resolve_requests
from edgekit.samples import Samples
from edgekit.specs.compression import Prune, Quantize, Recover
from tests.passes.computed_networks import COMPUTED, Again, Net, Siamese, Transposed, Writing, computed_model

PIXELS = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3), np.uint8)
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "spectral norm": partial(Net, COMPUTED["spectral norm"]),
    "weight standardization": partial(Net, COMPUTED["weight standardization"]),
    "weight norm, siamese": partial(Siamese, COMPUTED["weight norm"]),
    "writes": Writing,
    "two names": Again,
    "transposed, in groups": Transposed,
}
ROUNDING_DB = 35.0
"""A value on the edge between two steps may fall to either side; a batch norm folded twice is below 10 dB."""

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning", "ignore:.*weight_norm.* is deprecated:FutureWarning", "ignore:The tensor attr"
    ),
    pytest.mark.trains,
]


def asked(model: Model, backend: str) -> Callable[[Quantize], Quantization]:
    request = resolve_requests(model.project, "raspberry-pi-5", backend, None)[0]
    return partial(request.backend().quantization, runtime=request.runtime)


def rounded(model: Model, backend: str, calibration: list[tuple[torch.Tensor, ...]]) -> Array:
    """What the model answers when it is quantized as any other."""
    program = quantize(capture(model), Quantize(), asked(model, backend), calibration, calibration[:1])
    return outputs(program.exported, calibration)


def answers(model: Model) -> Array:
    with torch.no_grad():
        logits: Array = model.module(torch.from_numpy(PIXELS)).numpy()
    return logits


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())
def test_what_is_trained_is_what_will_be_quantized(network: Callable[[], nn.Module], tmp_path: Path) -> None:
    model = computed_model(network, tmp_path)
    student = fake_quantized(model, asked(model, "onnx")(Quantize()), 16)
    calibration = batches(Samples({"image": PIXELS[:32]}, np.zeros(32)), model.project)
    calibrate(student, calibration)
    logits = student(torch.from_numpy(PIXELS[:32]))
    assert sqnr_db(rounded(model, "onnx", calibration), logits.detach().numpy().ravel()) > ROUNDING_DB
    logits.square().sum().backward()
    trained = {name: student.program.get_parameter(f"weights.{name}") for name in trained_weights(student)}
    ours = {id(value) for name, value in model.module.named_parameters(remove_duplicate=False) if name in trained}
    assert ours == {id(value) for value in model.module.parameters()}
    assert all(value.grad is not None and bool(value.grad.any()) for value in trained.values())


@pytest.mark.parametrize("backend", ["executorch", "onnx", "tflite"])
def test_computed_and_shared_weights_learn(backend: str, tmp_path: Path) -> None:
    model = computed_model(partial(Siamese, COMPUTED["spectral norm"]), tmp_path)
    labels = (answers(model) + np.array([0.6, 0.0, 0.3, -0.3])).argmax(1)  # what a shift of the head teaches
    few = Samples({"image": PIXELS}, labels)
    calibration = batches(few.take(range(32)), model.project)
    recipe = Recover(epochs=1, batch=16, learning_rate=0.5, quantization_aware_epochs=3, distill=0.0, validation=0.2)
    before = answers(model)
    trained = train_quantized(
        model, model, asked(model, backend)(Quantize()), recipe, few, calibration, tmp_path, lambda _: None
    )
    options = dict(trained.history[-1].options)
    assert float(options["validation after"]) > float(options["validation before"])
    assert np.array_equal(before, answers(model))
    for name in ("stem.parametrizations.weight.original", "bn.weight", "head.bias"):
        old, new = (one.module.model.get_parameter(name) for one in (model, trained))
        assert not torch.equal(old, new), name
    now = answers(trained)[:32].ravel()
    assert sqnr_db(now, rounded(trained, backend, calibration)) > 25


def test_zeros_stay_zero_under_every_name(tmp_path: Path) -> None:
    model = computed_model(Again, tmp_path)
    sparse = prune(model, Prune(pattern="2:4"), None)
    few = Samples({"image": PIXELS}, np.arange(64) % 4)
    calibration = batches(few.take(range(16)), model.project)
    recipe = Recover(epochs=1, batch=16, learning_rate=0.5, quantization_aware_epochs=1, distill=0.0, validation=0.2)
    quantization = asked(model, "onnx")(Quantize())
    trained = train_quantized(sparse, model, quantization, recipe, few, calibration, tmp_path, lambda _: None)
    before, after = (one.module.model.get_parameter("conv.weight") for one in (sparse, trained))
    assert not torch.equal(before, after)
    assert torch.equal(before == 0, after == 0)
