"""A counter beside quantized arithmetic stays an integer."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.frontend.capture import capture
from edgekit.frontend.load import load
from edgekit.frontend.sequences import program_arguments
from edgekit.passes.quantization.quantize import quantize
from edgekit.pipeline.request import resolve_requests
from edgekit.samples import load_samples
from edgekit.specs.project import Project
from tests.stateful_projects import write_accumulator

COUNTING = """
import torch


class Counting(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 3)

    def forward(self, x, total, count):
        total = 0.5 * total + torch.relu(self.layer(x))
        return {"sum": 2 * total, "total_out": total, "count_out": count + 1}


def accumulator():
    torch.manual_seed(0)
    return Counting().eval()
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of executorch, as it is imported
@pytest.mark.parametrize("backend", ["executorch", "onnx", "tflite"])
def test_a_counter_among_the_state_keeps_its_dtype(tmp_path: Path, backend: str) -> None:
    folder = write_accumulator(tmp_path)
    (folder / "model.py").write_text(COUNTING)
    project = Project.read(folder)
    (request,) = resolve_requests(project, "host", backend, "host-int8")
    program = capture(load(project))
    arguments = program_arguments(program, load_samples(project, "calibration"))
    recipe, plugin = request.profile.quantize, request.backend()
    assert recipe
    quantized = quantize(
        program, recipe, lambda one: plugin.quantization(one, request.runtime), arguments, arguments[:4]
    )
    count = quantized.exported.module()(*arguments[3])["count_out"]
    assert (str(count.dtype), int(count)) == ("torch.int64", int(arguments[3][2]) + 1)
