"""A model that was changed, kept on disk and read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edgekit.errors import LoadError
from edgekit.frontend.load import Model
from edgekit.frontend.store import load_model, save_model
from edgekit.ir.program import PassRecord
from edgekit.passes.pruning.prune import prune
from edgekit.specs.compression import Prune
from tests.networks import substitute
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
