"""A model that was changed, kept on disk and read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edgekit.errors import LoadError
from edgekit.frontend.load import Model, load_twice
from edgekit.frontend.store import PROGRAM, load_model, save_model, save_program
from edgekit.ir.program import PassRecord, Program
from edgekit.ir.signature import Signature
from edgekit.passes.pruning.prune import prune
from edgekit.specs.compression import Prune
from edgekit.specs.project import Project
from tests.networks import substitute, write_project
from tests.passes.pruned_networks import RESIDUAL, SEPARABLE, TRANSFORMER, made

TIED = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 8)
        self.first, self.second = nn.Linear(16, 16), nn.Linear(16, 16)
        self.second.weight = self.first.weight
        self.register_buffer("hidden", self.first.weight.detach().clone(), persistent=False)

    def forward(self, x):
        return self.second(self.first(self.stem(x).flatten(1))) + self.hidden.sum()


def net():
    return Net()
"""


def again(model: Model, folder: Path) -> Model:
    folder.mkdir()
    save_model(model, folder)
    return load_model(model.project, folder)


@pytest.mark.parametrize("network", [RESIDUAL, SEPARABLE, TRANSFORMER], ids=["residual", "separable", "transformer"])
def test_a_pruned_model_survives_the_disk(tmp_path: Path, network: str) -> None:
    model = prune(made(tmp_path / "project", network), Prune(ratio=0.5), None)
    restored = again(model, tmp_path / "stored")
    with torch.no_grad():
        assert torch.equal(restored.module(*model.examples), model.module(*model.examples))
    assert restored.history == model.history
    assert str(restored.module) == str(model.module)  # as torch prints channels, groups and features
    assert not restored.module.training
    assert not any(path.suffix in (".pt", ".pkl") for path in (tmp_path / "stored").iterdir())


def test_shared_weights_stay_shared(tmp_path: Path) -> None:
    model = made(tmp_path / "project", TIED)
    with torch.no_grad():
        model.module.model.get_parameter("first.weight").mul_(2)
    network = again(model, tmp_path / "stored").module.model
    assert network.get_parameter("first.weight") is network.get_parameter("second.weight")
    assert torch.equal(network.get_parameter("first.weight"), model.module.model.get_parameter("first.weight"))


def test_a_history_with_an_infinite_sqnr_survives_too(tmp_path: Path) -> None:
    model = made(tmp_path / "project", RESIDUAL)
    record = PassRecord("nothing", (), 0.0, float("inf"))
    assert again(replace(model, history=(record,)), tmp_path / "stored").history == (record,)


def test_a_factory_that_makes_something_else_by_now_is_told(tmp_path: Path) -> None:
    model = made(tmp_path / "project", RESIDUAL)
    (tmp_path / "stored").mkdir()
    save_model(model, tmp_path / "stored")
    other = made(tmp_path / "other", substitute("self.stem", "self.trunk", RESIDUAL))
    with pytest.raises(LoadError, match=r"no longer makes the network that was pruned: .*stem") as caught:
        load_model(other.project, tmp_path / "stored")
    assert "--no-cache" in str(caught.value.hint)
    bare = made(tmp_path / "bare", substitute("padding=1)", "padding=1, bias=False)", RESIDUAL))
    with pytest.raises(LoadError, match=r"stem\.bias"):
        load_model(bare.project, tmp_path / "stored")


def test_a_program_that_the_disk_cannot_take_is_an_error_and_no_end_of_the_process(tmp_path: Path) -> None:
    """torch's zip writer ends the process, if a write of its own fails."""
    exported = torch.export.export(torch.nn.Linear(4, 4), (torch.zeros(1, 4),))
    (tmp_path / PROGRAM).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        save_program(Program(exported, Signature((), ()), ()), tmp_path)


def test_two_loads_hold_the_parameters_once_and_the_buffers_twice(tmp_path: Path) -> None:
    project = Project.read(write_project(tmp_path))
    first, second = load_twice(project)
    own = dict(first.module.named_parameters())
    assert own
    for name, parameter in second.module.named_parameters():
        assert parameter is not own[name]
        assert parameter.data_ptr() == own[name].data_ptr()
    buffers = dict(first.module.named_buffers())
    for name, buffer in second.module.named_buffers():
        assert not buffer.numel() or buffer.data_ptr() != buffers[name].data_ptr()
