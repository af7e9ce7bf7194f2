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

from edgekit.errors import PassError
from edgekit.frontend.capture import capture
from edgekit.frontend.load import batches, load
from edgekit.ir.program import Program
from edgekit.ir.text import text
from edgekit.passes.base import Pass
from edgekit.passes.quantize import QuantizePass
from edgekit.pipeline.order import Order, orders
from edgekit.samples import load_samples
from edgekit.specs.compression import Quantize
from edgekit.specs.project import Project

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
    order: Order = orders(project, "raspberry-pi-5", backend, None)[0]
    recipe = recipe or order.profile.quantize
    assert recipe is not None
    return QuantizePass(recipe, lambda asked: order.backend().quantization(asked, order.runtime), samples)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_quantized_program_reads_as_it_did(
    program: Program, project: Project, samples: list[Sample], backend: str
) -> None:
    found = text(quantize(project, backend, samples)(program, samples[:4]))
    golden = GOLDEN / f"quantized-{backend}.txt"
    if os.environ.get("EDGEKIT_GOLDEN") == "write":
        golden.write_text(found)
    assert found == golden.read_text()


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
    with pytest.raises(PassError, match="nothing was quantized"):
        quantize(project, "onnx", samples, Quantize(skip=("*",)))(program, samples[:1])


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
    with pytest.raises(PassError, match=r"pass 'break' failed \(passes before it: quantize\): division by zero"):
        Break()(quantized, samples[:1])


def test_a_pass_that_makes_nan_is_refused(project: Project, samples: list[Sample]) -> None:
    fresh = capture(load(project))
    with pytest.raises(PassError, match="not finite"):
        Break("nan")(fresh, samples[:1])
