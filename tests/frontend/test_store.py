"""A model that was changed, kept on disk and read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edgekit.errors import LoadError
from edgekit.frontend.allocator import page_out
from edgekit.frontend.load import Model, load_twice
from edgekit.frontend.program_size import LARGE_BYTES, WeightSizes, weight_sizes
from edgekit.frontend.store import PROGRAM, load_model, load_program, save_model, save_program
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


def test_weights_of_a_stored_program_are_pages_of_its_file(tmp_path: Path) -> None:
    linear = torch.nn.Linear(64, 64)
    exported = torch.export.export(torch.nn.Sequential(linear, torch.nn.BatchNorm1d(64)).eval(), (torch.zeros(2, 64),))
    save_program(Program(exported, Signature((), ())), tmp_path)
    stored = load_program(tmp_path).exported
    assert list(stored.state_dict) == list(exported.state_dict)
    for name, value in exported.state_dict.items():
        assert torch.equal(stored.state_dict[name], value)
    mappings = [line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text().splitlines()]
    own = [line[0].split("-") for line in mappings if line[-1] == str(tmp_path / PROGRAM)]
    pages = [range(int(start, 16), int(end, 16)) for start, end in own]
    assert all(any(value.data_ptr() in each for each in pages) for value in stored.state_dict.values())
    with torch.no_grad():
        stored.state_dict["0.weight"].zero_()  # stays here: the file is not written to
    assert torch.equal(load_program(tmp_path).exported.state_dict["0.weight"], linear.weight)


def test_pages_that_were_taken_back_are_read_again(tmp_path: Path) -> None:
    linear = torch.nn.Linear(1024, 1024)
    save_program(Program(torch.export.export(linear, (torch.zeros(1, 1024),)), Signature((), ())), tmp_path)
    stored = load_program(tmp_path).exported
    with torch.no_grad():
        stored.state_dict["bias"].fill_(7)  # in this process alone
    assert torch.equal(stored.state_dict["weight"], linear.weight)
    page_out(stored)
    assert torch.equal(stored.state_dict["weight"], linear.weight)
    assert bool((stored.state_dict["bias"] == 7).all())


def test_sizes_of_a_program_are_told_without_reading_it(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.BatchNorm1d(32)).eval()
    save_program(Program(torch.export.export(network, (torch.zeros(2, 64),)), Signature((), ())), tmp_path)
    sizes = weight_sizes(tmp_path / PROGRAM)
    assert sizes == WeightSizes(4 * (64 * 32 + 5 * 32) + 8, 4 * 64 * 32)
    assert not sizes.is_large
    assert replace(sizes, size_bytes=LARGE_BYTES).is_large
