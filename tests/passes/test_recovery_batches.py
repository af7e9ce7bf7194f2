"""Training takes batches: a network whose batch was fixed when it was exported is refused before it is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from edgekit.errors import PassError
from edgekit.frontend.load import Model, load
from edgekit.passes.recovery.batches import check_batches
from edgekit.specs.project import Project
from tests.networks import TOML, substitute, write_project


class Views(nn.Module):
    """A head behind a view, whose batch is a constant of the exported program where it is not free."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(192, 4)

    def forward(self, x: Tensor) -> Tensor:
        head: Tensor = self.head(x.view(x.shape[0], 192))
        return head


MIXER = """
import torch

class Net(torch.nn.Module):
    def forward(self, x):
        return x.mean((0, 2, 3))[None]

def net():
    return Net()
"""


def exported(folder: Path, batch: int, free: bool) -> Model:
    shapes = ({0: torch.export.Dim("batch", min=1)},) if free else None
    program = torch.export.export(Views().eval(), (torch.rand(batch, 3, 8, 8),), dynamic_shapes=shapes)
    root = write_project(folder, "", substitute('factory = "model.py:net"', 'file = "net.pt2"', TOML), samples=4)
    torch.export.save(program, root / "net.pt2")
    return load(Project.read(root))


def test_a_program_of_one_sample_is_not_trained_in_batches(tmp_path: Path) -> None:
    with pytest.raises(PassError, match="takes one sample at a time, training takes batches") as caught:
        check_batches(exported(tmp_path, 1, free=False))
    assert "dynamic_shapes" in str(caught.value.hint)


def test_a_program_with_a_free_batch_axis_is(tmp_path: Path) -> None:
    check_batches(exported(tmp_path, 2, free=True))


def test_a_factory_that_mixes_samples_is_refused(tmp_path: Path) -> None:
    root = write_project(tmp_path, MIXER, samples=4)
    with pytest.raises(PassError, match="mixes two into one"):
        check_batches(load(Project.read(root)))
