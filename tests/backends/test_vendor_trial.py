"""Trials of the vendors' plain recipes: real tools, on float programs."""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit import plugins
from edgekit.backends.lowering_process import Lowering
from edgekit.backends.onnx import Onnx
from edgekit.backends.vendor_trial import vendor_outputs, vendor_trial
from edgekit.errors import LoweringError
from edgekit.frontend.capture import capture
from edgekit.frontend.load import load
from edgekit.frontend.store import save_program
from edgekit.ir.program import Program
from edgekit.ir.sqnr import sqnr_db
from edgekit.samples import load_samples
from edgekit.specs.project import Project
from tests.backends.architectures import ARCHITECTURES, captured
from tests.backends.free_networks import free_project
from tests.backends.test_facts import RUNTIMES
from tests.stateful_projects import write_accumulator

pytestmark = pytest.mark.lowers


@dataclass(frozen=True)
class Trial:
    program: Program
    samples: Path
    checks: Path


def written(folder: Path, model: nn.Module, example: Tensor) -> Trial:
    """A float program, and folders of samples for it."""
    generator = np.random.default_rng(1)
    for name, count in (("samples", 16), ("checks", 4)):
        (folder / name).mkdir()
        values = generator.normal(size=(count, *example.shape[1:])).astype(np.float32)
        np.save(folder / name / "x.npy", values)
    return Trial(captured(model, example), folder / "samples", folder / "checks")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """As in the converter's process, where nobody reads what vendors warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("name", RUNTIMES)
def test_a_vendors_int8_file_is_measured_against_the_float_program(tmp_path: Path, name: str, dynamic: bool) -> None:
    torch.manual_seed(0)
    # XNNPACK's dynamic recipe leaves convolutions before a ReLU in float.
    made = ARCHITECTURES["shared" if dynamic and name == "executorch" else "convolutions"]
    trial, backend = written(tmp_path, made.make(), made.example()), plugins.load("backends", name)()
    for module in backend.preload:
        importlib.import_module(module)
    quality_db = vendor_trial(backend, trial.program, trial.samples, trial.checks, dynamic)
    assert quality_db is not None
    assert 20 < quality_db < 60  # int8: neither another function, nor float


def test_sequences_with_state_are_tried_as_they_are(tmp_path: Path) -> None:
    project = Project.read(write_accumulator(tmp_path / "project"))
    samples = saved(project, tmp_path)
    outputs = vendor_outputs(Onnx(), capture(load(project)), samples, samples)
    assert outputs is not None
    answers, steps = outputs
    expected = np.load(samples / "labels.npy")
    assert sqnr_db(expected, answers) > 15  # each step adds the rounding of the state
    assert (steps == np.arange(5)).all()


def test_samples_of_different_lengths_are_tried_as_they_are(tmp_path: Path) -> None:
    project = free_project(tmp_path / "project", "convolutional")
    samples = saved(project, tmp_path)
    quality_db = vendor_trial(Onnx(), capture(load(project)), samples, samples, dynamic=True)
    assert quality_db is not None
    assert 20 < quality_db < 60


def saved(project: Project, folder: Path) -> Path:
    """Folder of the project's evaluation samples."""
    (folder / "samples").mkdir()
    load_samples(project, "evaluation").save(folder / "samples")
    return folder / "samples"


class Sorting(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.kthvalue(2, -1).values


def test_a_vendors_tool_that_fails_is_quoted(tmp_path: Path) -> None:
    trial = written(tmp_path, Sorting(), torch.randn(1, 4))
    with pytest.raises(LoweringError, match="kthvalue"):
        vendor_trial(Onnx(), trial.program, trial.samples, trial.checks)


@dataclass(frozen=True)
class Other(Onnx):
    name: ClassVar[str] = "other"


def test_a_backend_of_no_vendor_has_no_trial(tmp_path: Path) -> None:
    trial = written(tmp_path, ARCHITECTURES["shared"].make(), torch.randn(1, 16))
    assert vendor_trial(Other(), trial.program, trial.samples, trial.checks) is None


def test_the_converters_process_runs_the_trial(tmp_path: Path) -> None:
    torch.manual_seed(0)
    trial = written(tmp_path, ARCHITECTURES["shared"].make(), torch.randn(1, 16))
    (tmp_path / "program").mkdir()
    save_program(trial.program, tmp_path / "program")
    with Lowering("onnx") as worker:
        quality_db = worker.try_vendor(tmp_path / "program", trial.samples, trial.checks)
    assert quality_db is not None
    assert math.isfinite(quality_db)
    assert quality_db > 20
