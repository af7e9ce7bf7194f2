"""The quantize pass: what it makes of a program for each backend, how far the numbers move, and what it refuses."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch.export import ExportedProgram

from edgekit.errors import PassError, UnknownName
from edgekit.frontend.capture import capture
from edgekit.frontend.load import batches, load
from edgekit.ir.program import Program
from edgekit.ir.text import text
from edgekit.passes.base import Pass
from edgekit.passes.quantization.calibration_check import distribution_shift
from edgekit.passes.quantization.quantize import QuantizePass
from edgekit.passes.quantization.quantize import quantize as quantize_all
from edgekit.pipeline.request import BuildRequest, resolve_requests
from edgekit.samples import load_samples
from edgekit.specs.compression import Quantize
from edgekit.specs.project import Project
from tests.passes.small_networks import onnx
from tests.passes.small_networks import program as small_program

Sample = tuple[torch.Tensor, ...]
GOLDEN = Path(__file__).parents[1] / "golden"
BACKENDS = ("executorch", "onnx", "tflite")

# executorch reads its own resources in a deprecated way, once, when it is first imported.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def project(small: Path) -> Project:
    return Project.read(small)


@pytest.fixture(scope="module")
def program(project: Project) -> Program:
    return capture(load(project))


@pytest.fixture(scope="module")
def samples(project: Project) -> list[Sample]:
    return batches(load_samples(project, "calibration"), project)


def quantize(project: Project, backend: str, samples: list[Sample], recipe: Quantize | None = None) -> QuantizePass:
    """The pass as the backend wants it on a Raspberry Pi 5."""
    request: BuildRequest = resolve_requests(project, "raspberry-pi-5", backend, None)[0]
    recipe = recipe or request.profile.quantize
    assert recipe is not None
    return QuantizePass(recipe, lambda requested: request.backend().quantization(requested, request.runtime), samples)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_quantized_program_reads_as_it_did(
    program: Program, project: Project, samples: list[Sample], backend: str
) -> None:
    printed = text(quantize(project, backend, samples)(program, samples[:4]))
    golden = GOLDEN / f"quantized-{backend}.txt"
    if os.environ.get("EDGEKIT_GOLDEN") == "write":
        golden.write_text(printed)
    assert printed == golden.read_text()


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_numbers_move_as_far_as_eight_bits_move_them(
    program: Program, project: Project, samples: list[Sample], backend: str
) -> None:
    before = text(program)
    quantized = quantize(project, backend, samples)(program, samples[:4])
    record = quantized.history[-1]
    assert record.name == "quantize"
    assert ("samples", str(len(samples))) in record.options
    assert 25 < record.sqnr_db < 60
    assert text(program) == before  # the pass returned a new program


def test_without_samples_there_is_nothing_to_calibrate_on(
    program: Program, project: Project, samples: list[Sample]
) -> None:
    with pytest.raises(PassError, match="needs a calibration set") as caught:
        replace(quantize(project, "onnx", samples), samples=[])(program, samples[:1])
    assert "calibration" in str(caught.value.hint)


def test_a_recipe_that_skips_everything_is_refused(program: Program, project: Project, samples: list[Sample]) -> None:
    with pytest.raises(PassError, match="nothing was quantized") as caught:
        quantize(project, "onnx", samples, Quantize(skip=("*",)))(program, samples[:1])
    assert "[quantize] skip" in str(caught.value.hint)


@dataclass(frozen=True)
class Break(Pass):
    """A pass that breaks what it is given."""

    name: ClassVar[str] = "break"
    how: str = "raise"

    def rewrite(self, exported: ExportedProgram) -> ExportedProgram:
        if self.how == "raise":
            raise ZeroDivisionError("division by zero")
        module = exported.module()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.fill_(math.nan)
        return torch.export.export(module, exported.example_inputs[0])


def test_a_pass_that_fails_names_those_before_it(program: Program, project: Project, samples: list[Sample]) -> None:
    quantized = quantize(project, "onnx", samples)(program, samples[:1])
    before = r"pass 'break' failed \(passes before it: quantize\)"
    with pytest.raises(PassError, match=f"{before}: ZeroDivisionError: division by zero"):
        Break()(quantized, samples[:1])


def test_a_pass_that_makes_nan_is_refused(project: Project, samples: list[Sample]) -> None:
    fresh = capture(load(project))
    with pytest.raises(PassError, match="not finite"):
        Break("nan")(fresh, samples[:1])


class Logarithm(torch.nn.Module):
    """Answers NaN to negative inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(4, 4)
        with torch.no_grad():
            self.head.weight.copy_(torch.eye(4))
            self.head.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.log(self.head(x))


def test_a_network_that_answers_nan_itself_is_told_with_the_count() -> None:
    network = small_program(Logarithm(), torch.ones(1, 4))
    sound, broken = (torch.ones(1, 4),), (-torch.ones(1, 4),)
    told = "the network itself answers NaN or infinity, on 2 of the 3 samples .*, first on number 1"
    with pytest.raises(PassError, match=told) as caught:
        quantize_all(network, Quantize(), onnx, [sound] * 4, [sound, broken, broken])
    assert "logarithms" in str(caught.value.hint)
    # Calibration samples that give NaN are no reason to fail without words of ours.
    recipe = Quantize.model_validate({"correct_bias": True})
    assert quantize_all(network, recipe, onnx, [broken, sound, broken, sound], [sound]).history


class Fresh(torch.nn.Module):
    """Convolution, batch norm, ReLU, linear; some channels are dead."""

    def __init__(self, broken: float | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = torch.nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.bn = torch.nn.BatchNorm2d(4)
        self.head = torch.nn.Linear(4, 3)
        self.broken = broken

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.bn(self.conv(x)))
        if self.broken is not None:
            x = torch.where(x > 50, self.broken, x)
        answer: torch.Tensor = self.head(x.mean((2, 3)))
        return answer


def pictures(count: int, scale: float = 1.0, seed: int = 0) -> list[Sample]:
    generator = torch.Generator().manual_seed(seed)
    each = torch.rand(count, 1, generator=generator)[:, :, None, None]
    return [(scale * picture[None],) for picture in each + torch.rand(count, 1, 8, 8, generator=generator)]


@pytest.fixture(scope="module")
def trained() -> Program:
    """With the running statistics of 400 pictures."""
    net = Fresh().train()
    net.bn.momentum = None
    for (picture,) in pictures(400, seed=1):
        net(picture)
    return small_program(net, torch.zeros(1, 1, 8, 8))


def warning(trained: Program, samples: list[Sample]) -> str | None:
    made = quantize_all(trained, Quantize(), onnx, samples, samples[:1])
    return dict(made.history[-1].options).get("warning")


def test_calibration_data_of_another_range_are_said_to_be(trained: Program) -> None:
    for few in (1, 4, 100):
        assert warning(trained, pictures(few)) is None
    for scale in (0, 1 / 255, 0.5, 2, 255):
        message = warning(trained, pictures(20, scale))
        assert message is not None
        assert message.startswith("calibration data do not look like the training data: before 'bn'")
    never_trained = small_program(Fresh(), torch.zeros(1, 1, 8, 8)).exported
    assert distribution_shift(never_trained, pictures(4)) is None


@pytest.mark.parametrize(("value", "word"), [(math.nan, "NaN"), (math.inf, "infinity")])
@pytest.mark.parametrize("observer", ["minmax", "auto"])
def test_a_value_that_is_not_finite_is_named_by_layer_and_sample(value: float, word: str, observer: str) -> None:
    bad = small_program(Fresh(value), torch.zeros(1, 1, 8, 8))
    samples = pictures(9)
    samples[5] = (samples[5][0] * 1000,)
    recipe = Quantize.model_validate({"activations": {"observer": observer}})
    with pytest.raises(PassError, match=f"gives {word} on calibration sample 5") as caught:
        quantize_all(bad, recipe, onnx, samples, samples[:1])
    assert "skip" in str(caught.value.hint)


@pytest.mark.parametrize("blank", [False, True])
def test_dead_channels_and_blank_pictures_have_finite_scales(blank: bool) -> None:
    net = Fresh()
    with torch.no_grad():
        net.conv.weight[:2] = 0
        net.head.weight[0] *= blank
    dead = small_program(net, torch.zeros(1, 1, 8, 8))
    recipe = Quantize.model_validate(
        {"activations": {"observer": "auto"}, "weights": {"rounding": "gptq"}, "correct_bias": True, "equalize": True}
    )
    samples = pictures(6, scale=0 if blank else 1)
    made = quantize_all(dead, recipe, onnx, samples, samples)
    assert made.history[-1].sqnr_db > 30


@pytest.mark.parametrize("field", ["skip", "overrides"])
def test_a_name_that_no_module_has_gets_the_nearest(trained: Program, field: str) -> None:
    named: dict[str, object] = {"skip": ("had",), "overrides": {"had": "int8"}}
    recipe = Quantize.model_validate({field: named[field]})
    with pytest.raises(UnknownName, match="names 'had', but no module") as caught:
        quantize_all(trained, recipe, onnx, pictures(2), pictures(1))
    assert caught.value.hint == "did you mean 'head'?"
    far = Quantize(skip=("features.*",))
    with pytest.raises(UnknownName) as caught:
        quantize_all(trained, far, onnx, pictures(2), pictures(1))
    assert caught.value.hint == "the modules are bn, conv, head"
