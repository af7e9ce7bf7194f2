"""Accelerators of the target that a build does not use, and layers that float16 does not hold, as a person is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.pipeline.request import resolve_requests
from edgekit.pipeline.stages.accelerator_fits import unused_accelerators
from edgekit.specs.project import Project
from tests.command_line import LENIENT, edgekit_here
from tests.conftest import Command
from tests.networks import substitute, write_project

UNUSED = (
    "the gpu is not used by vulkan: the exporter of executorch 1.5.1 writes a file for it, and no runtime that can be"
)


def test_an_accelerator_that_nothing_is_built_for_is_told_with_what_was_tried(tmp_path: Path, command: Command) -> None:
    folder = write_project(tmp_path / "project")
    project = Project.read(folder)
    (board,) = resolve_requests(project, "raspberry-pi-5", "executorch", None)
    assert unused_accelerators(board)["vulkan"].startswith(UNUSED)
    (phone,) = resolve_requests(project, "pixel-8", "tflite", None)
    assert unused_accelerators(phone) == {}
    planned = command("plan", "--project", folder, "--target", "raspberry-pi-5", "--backend", "executorch")
    assert UNUSED in " ".join(planned.out.split())


def test_a_kind_that_no_file_states_is_refused_before_anything_is_built(tmp_path: Path, command: Command) -> None:
    accelerator = '[{unit="gpu",kind="webgpi",backend="onnx",activations=["float32"],weights=["float32"]}]'
    sets = ("--set", 'target.gpu={name="mine"}', "--set", f"target.accelerator={accelerator}")
    argv = ("plan", "--project", write_project(tmp_path / "project"), "--target", "host", "--backend", "onnx", *sets)
    assert "did you mean 'webgpu'?" in command(*argv).refused("EK102", 2)


@pytest.mark.builds
def test_layers_that_overflow_float16_are_refused_for_tensorrt_and_nothing_is_left(
    tmp_path: Path, places: dict[str, str]
) -> None:
    plain, large = "self.block(self.stem(x)).mean", "1e-6 * (1e6 * self.block(self.stem(x))).mean"
    model = substitute(plain, large)
    folder = write_project(tmp_path / "project", model)
    argv = ("build", "--project", folder, "--target", "jetson-orin-nano", "--backend", "onnx", *LENIENT)
    told = edgekit_here(*argv, "--profile", "float16", "--out", tmp_path / "out", env=places).refused("EK429", 3)
    assert "tensorrt of 'jetson-orin-nano' computes in float16: float16 holds at most 65,504" in " ".join(told.split())
    assert not list((tmp_path / "out").rglob("*.edgekit"))
