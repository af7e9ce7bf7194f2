"""Small networks that once failed (`shared/faults`): each now ends as the README there says."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from edgekit.errors import ForwardError, Nondeterministic
from edgekit.frontend.capture import capture
from edgekit.frontend.eager import Eager
from edgekit.frontend.load import Model, batches, load
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.passes.quantization.quantize import quantize
from edgekit.pipeline.request import resolve_requests
from edgekit.samples import Samples, load_samples
from edgekit.specs.project import Project

FAULTS = Path(__file__).resolve().parents[3] / "shared" / "faults"
SAMPLES = 100
BACKENDS = ("onnx", "executorch", "tflite")

pytestmark = [
    pytest.mark.skipif(not FAULTS.is_dir(), reason=f"there is no {FAULTS.name} in the folder 'shared' beside this one"),
    # Converters import modules that warn of their own deprecated calls.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


def project(name: str) -> Project:
    return Project.read(FAULTS / name)


def right(answers: Array, labels: Array) -> float:
    return float(np.mean(answers.reshape(len(labels), -1).argmax(1) == labels))


def in_eight_bits(model: Model, program: Program, backend: str, samples: Sequence[tuple[Tensor, ...]]) -> Program:
    """The program quantized, as the backend's own profile has it."""
    request = resolve_requests(model.project, "raspberry-pi-5", backend, None)[0]
    calibration = batches(load_samples(model.project, "calibration", 32), model.project)
    recipe = request.profile.quantize
    assert recipe
    quantization = partial(request.backend().quantization, runtime=request.runtime)
    return quantize(program, recipe, quantization, calibration, samples[:4])


def answers_of(program: Program, samples: Sequence[tuple[Tensor, ...]]) -> Array:
    """The first output of the program on every sample, [N, classes]."""
    module = program.exported.module()
    with torch.no_grad():
        return np.concatenate([module(*sample).numpy() for sample in samples])


def answers_of_file(model: Model, program: Program, backend: str, evaluation: Samples, folder: Path) -> Array:
    """What the file that the backend makes of the program answers, [N, classes], as it is stored."""
    from edgekit.backends.verify import verify

    request = resolve_requests(model.project, "raspberry-pi-5", backend, None)[0]
    (folder / "checks").mkdir()
    evaluation.save(folder / "checks")
    artifact = request.backend().lower(program, request.target, request.runtime, folder)
    verify(artifact, program, folder / "checks", folder / "golden")
    found: Array = np.load(folder / "golden" / "outputs" / f"{artifact.signature.outputs[0].name}.npy")
    return found


@pytest.mark.lowers
@pytest.mark.parametrize("name", ["inplace_input", "siamese", "weightnorm"])
def test_a_network_is_as_good_in_eight_bits_on_every_backend(name: str, tmp_path: Path) -> None:
    model = load(project(name))
    evaluation = load_samples(model.project, "evaluation", SAMPLES)
    digest, labels = evaluation.digest, evaluation.labels
    eager = next(iter(Eager(lambda: model).measure(evaluation, None).outputs.values()))
    program, samples = capture(model), batches(evaluation, model.project)
    for backend in BACKENDS:
        rounded = in_eight_bits(model, program, backend, samples)
        assert right(answers_of(rounded, samples), labels) >= right(eager, labels) - 0.02 >= 0.93
    if name == "siamese":
        answers = answers_of_file(model, rounded, BACKENDS[-1], evaluation, tmp_path)
        assert right(answers, labels) >= right(eager, labels) - 0.02
    assert evaluation.digest == digest


def test_a_network_that_does_not_answer_the_same_twice_is_named_with_its_line() -> None:
    with pytest.raises(
        Nondeterministic, match=r"^the network \(M\) at model\.py:12 in forward does not answer the same"
    ):
        load(project("dropout_on"))


def test_torchscript_is_converted() -> None:
    model = load(project("scripted"))
    with torch.no_grad():
        answers = capture(model).exported.module()(*model.examples)
        torch.testing.assert_close(answers, model.module(*model.examples))


def test_half_precision_is_told_the_word_that_helps() -> None:
    with pytest.raises(ForwardError) as caught:
        load(project("half"))
    assert caught.value.hint == (
        "the network's weights are float16; edgekit takes float32: return network.float() from the factory"
    )


@pytest.mark.lowers
def test_a_prelu_behind_a_linear_layer_is_lowered_by_executorch(tmp_path: Path) -> None:
    from edgekit.backends.verify import verify

    model: Model = load(project("prelu_se"))
    request = resolve_requests(model.project, "raspberry-pi-5", "executorch", None)[0]
    program, checks = capture(model), tmp_path / "checks"
    checks.mkdir()
    load_samples(model.project, "evaluation", 4).save(checks)
    artifact = request.backend().lower(program, request.target, request.runtime, tmp_path)
    assert verify(artifact, program, checks, tmp_path / "golden") > 100
    outside = [operator.name for operator in artifact.placement.operators if operator.delegate is None]
    assert not outside
