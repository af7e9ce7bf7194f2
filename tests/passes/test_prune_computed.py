"""Pruning of weights that are computed, or shared."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from edgekit.errors import PassError
from edgekit.frontend.capture import capture
from edgekit.frontend.load import Model
from edgekit.frontend.store import load_model, save_model
from edgekit.passes.pruning.prune import prune
from edgekit.passes.recovery.recover import recover
from edgekit.samples import Samples
from edgekit.specs.compression import Prune, Recover
from edgekit.specs.project import Project
from tests.networks import write_project
from tests.passes.computed_networks import COMPUTED, Net, Siamese, computed_model

TORCHS = {name: partial(Net, conv) for name, conv in COMPUTED.items() if name != "weight standardization"}
MODULE = """
import torch
from tests.passes import computed_networks
from tests.passes.computed_networks import COMPUTED, Net, settled

def net():
    torch.manual_seed(0)
    return settled(Net(COMPUTED["NAME"]))
"""
PIXELS = torch.randint(0, 256, (16, 8, 8, 3), generator=torch.Generator().manual_seed(0)).byte()

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning", "ignore:The tensor attr")


def answers(model: Model) -> Tensor:
    with torch.no_grad():
        logits: Tensor = model.module(PIXELS)
    return logits


def captured_weights(model: Model) -> list[Tensor]:
    """What the captured program's convolutions multiply with, but for the first one."""
    return [value for value in capture(model).exported.state_dict.values() if value.ndim == 4 and value.shape[1] > 3]


def is_two_of_four(weight: Tensor) -> bool:
    outputs, inputs, *kernel = weight.shape
    return bool(((weight.reshape(outputs, inputs // 4, 4, *kernel) != 0).sum(2) <= 2).all())


@pytest.mark.parametrize("network", [*TORCHS.values(), Siamese], ids=[*TORCHS.keys(), "siamese"])
def test_zeros_reach_the_program_and_outlast_recovery(network: Callable[[], nn.Module], tmp_path: Path) -> None:
    model = computed_model(network, tmp_path)
    before = answers(model)
    pruned = prune(model, Prune(pattern="2:4"), None)
    few = Samples({"image": PIXELS.numpy()}, torch.arange(16).numpy() % 4)
    recipe = Recover(epochs=1, batch=4, learning_rate=0.02, validation=0.25)
    recovered = recover(pruned, model, recipe, few, tmp_path / "checkpoints", lambda _: None)
    for one in (pruned, recovered):
        (weight,) = captured_weights(one)
        assert is_two_of_four(weight)
    assert torch.equal(before, answers(model))  # nothing was taken from the network itself


@pytest.mark.parametrize("network", TORCHS.values(), ids=TORCHS.keys())
def test_channels_go_as_from_plain_weights(network: Callable[[], nn.Module], tmp_path: Path) -> None:
    model = computed_model(network, tmp_path)
    pruned = prune(model, Prune(ratio=0.5, round_to=4), None)
    stem, conv = (pruned.module.get_submodule(f"model.{name}").weight for name in ("stem", "conv"))
    assert isinstance(stem, Tensor)
    assert isinstance(conv, Tensor)
    assert stem.shape[0] == conv.shape[1] == 4
    assert not any("parametrizations" in name or name.endswith("_orig") for name in pruned.module.state_dict())


@pytest.mark.parametrize("name", ["weight norm", "spectral norm, by hook"])
def test_a_pruned_network_is_loaded_as_it_was_saved(name: str, tmp_path: Path) -> None:
    project = Project.read(write_project(tmp_path / "project", MODULE.replace("NAME", name)))
    model = computed_model(partial(Net, COMPUTED[name]), tmp_path / "made")
    pruned = prune(model, Prune(ratio=0.5, round_to=4), None)
    (tmp_path / "saved").mkdir()
    save_model(pruned, tmp_path / "saved")
    loaded = load_model(project, tmp_path / "saved")
    assert torch.equal(answers(loaded), answers(pruned))
    assert answers(loaded).abs().max() > 0


def mixed() -> nn.Module:
    """One convolution that computes its weight, one that does not."""
    network = Net(COMPUTED["weight standardization"])
    network.conv = nn.Sequential(network.conv, nn.Conv2d(8, 8, 1))
    return network


def test_a_layer_whose_zeros_would_not_last_is_left_dense_and_named(tmp_path: Path) -> None:
    model = computed_model(mixed, tmp_path)
    pruned = prune(model, Prune(pattern="2:4"), None)
    options = dict(pruned.history[-1].options)
    assert (options["layers"], options["left dense"]) == ("1", "conv.0.weight")
    dense, sparse = captured_weights(pruned)
    assert not bool((dense == 0).any())
    assert is_two_of_four(sparse)
    untouched = pruned.module.model.get_parameter("conv.0.weight")
    assert torch.equal(untouched, model.module.model.get_parameter("conv.0.weight"))


@pytest.mark.parametrize("recipe", [Prune(pattern="2:4"), Prune(pattern="unstructured", ratio=0.5)])
def test_where_no_zero_would_last_it_is_refused(recipe: Prune, tmp_path: Path) -> None:
    model = computed_model(partial(Net, COMPUTED["weight standardization"]), tmp_path)
    with pytest.raises(PassError, match=r"computes the weights it multiplies with from 'conv\.weight'") as caught:
        prune(model, recipe, None)
    assert "macs = 0.5" in str(caught.value.hint)
