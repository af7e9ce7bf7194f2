"""Pruning: what goes, what must stay, and that what is left computes what it should."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from edgekit.errors import PassError, UnknownName
from edgekit.frontend.capture import capture
from edgekit.frontend.load import Model, load
from edgekit.passes.pruning import compute_cost
from edgekit.passes.pruning.prune import prune
from edgekit.samples import Samples
from edgekit.specs.compression import Prune
from edgekit.specs.project import Project
from tests.networks import substitute
from tests.passes.pruned_networks import RESIDUAL, SEPARABLE, TRANSFORMER, made

PLACES = [parent / "shared" / "cases" / "resnet20-cifar10" for parent in Path(__file__).resolve().parents]
CASE = next(filter(Path.is_dir, PLACES), PLACES[-1])


@pytest.fixture(scope="module")
def residual(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return made(tmp_path_factory.mktemp("residual"), RESIDUAL)


@pytest.fixture(scope="module")
def separable(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return made(tmp_path_factory.mktemp("separable"), SEPARABLE)


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return made(tmp_path_factory.mktemp("transformer"), TRANSFORMER)


@pytest.fixture(scope="module")
def samples() -> Samples:
    random = np.random.default_rng(0)
    return Samples({"image": random.integers(0, 256, (48, 8, 8, 3), np.uint8)}, np.arange(48) % 4)


def macs(model: Model) -> float:
    return compute_cost.macs(model.module, model.examples)[""]


def layer(model: Model, name: str) -> Any:
    """A module of the network; Any: torch's modules have attributes of every type."""
    return model.module.get_submodule(f"model.{name}")


def answers(model: Model) -> Tensor:
    pixels = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (8, 8, 8, 3), np.uint8))
    with torch.no_grad():
        logits: Tensor = model.module(pixels)
    return logits


def edited(model: Model) -> tuple[Model, Any]:
    """A copy that a test may change, and the block `narrow` in it."""
    copied = replace(model, module=copy.deepcopy(model.module))
    return copied, layer(copied, "narrow")


def test_half_the_channels_go_where_the_network_s_own_code_lets_them(residual: Model) -> None:
    before = copy.deepcopy(residual.module.state_dict())
    pruned = prune(residual, Prune(ratio=0.5), None)
    assert [layer(pruned, name).out_channels for name in ("narrow.conv1", "wide.conv1")] == [8, 16]
    # the shortcut pads by channel numbers that it worked out for itself
    assert [layer(pruned, name).out_channels for name in ("stem", "narrow.conv2", "wide.conv2")] == [16, 16, 32]
    assert answers(pruned).shape == (8, 4)
    assert all(torch.equal(before[name], value) for name, value in residual.module.state_dict().items())
    record = pruned.history[-1]
    assert (record.name, dict(record.options)["cut"]) == ("prune", "wide.conv1 32>16 narrow.conv1 16>8")
    assert not residual.history


@pytest.mark.parametrize("importance", ["magnitude", "taylor", "bn-scale"])
def test_channels_that_do_nothing_go_first(residual: Model, samples: Samples, importance: str) -> None:
    model, block = edited(residual)
    idle = [1, 2, 3, 6, 9, 10, 12, 15]
    with torch.no_grad():
        if importance == "taylor":  # loud, but never heard after the ReLU
            block.conv1.weight[idle] *= 10
            block.bn1.bias[idle] = -1e4
        else:
            block.bn1.weight[idle] = block.bn1.bias[idle] = 0
            block.conv1.weight[idle] *= 0.01
            block.conv2.weight[:, idle] *= 0.01
    recipe = Prune.model_validate({"ratio": 0.5, "importance": importance, "skip": ["wide"]})
    pruned = prune(model, recipe, samples)
    assert layer(pruned, "narrow.conv1").out_channels == 8
    torch.testing.assert_close(answers(pruned), answers(model), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("importance", ["magnitude", "taylor", "bn-scale"])
@pytest.mark.parametrize("share", [0.8, 0.5])
def test_no_more_multiply_accumulates_stay_than_may(
    residual: Model, samples: Samples, importance: str, share: float
) -> None:
    recipe = Prune.model_validate({"macs": share, "importance": importance, "round_to": 2})
    pruned = prune(residual, recipe, samples)
    assert share - 0.1 < macs(pruned) / macs(residual) <= share
    assert layer(pruned, "narrow.conv1").out_channels % 2 == layer(pruned, "wide.conv1").out_channels % 2 == 0
    assert dict(pruned.history[-1].options)["macs after"] == f"{macs(pruned):.0f}"


def test_a_budget_that_cannot_be_met_says_how_far_one_gets(residual: Model) -> None:
    with pytest.raises(PassError, match=r"macs 0\.05 cannot be reached: 0\.\d\d of the multiply-accumul") as caught:
        prune(residual, Prune(macs=0.05), None)
    reachable = float(str(caught.value.hint).split(" = ")[1].split(",")[0])
    assert macs(prune(residual, Prune(macs=reachable), None)) <= reachable * macs(residual)


def test_time_is_a_budget_too(tmp_path: Path) -> None:
    wide = substitute("inputs, outputs, 3, stride", "inputs, 512, 3, stride", RESIDUAL).replace("(outputs)", "(512)", 1)
    model = made(tmp_path, wide.replace("nn.Conv2d(outputs, outputs", "nn.Conv2d(512, outputs"))
    pruned = prune(model, Prune(latency=0.7), None)
    assert layer(pruned, "narrow.conv1").out_channels < 512
    assert (
        compute_cost.seconds([pruned.module], model.examples)[0]
        < compute_cost.seconds([model.module], model.examples)[0]
    )
    with pytest.raises(PassError, match=r"latency 0\.001 cannot be reached"):
        prune(model, Prune(latency=0.001), None)


def test_a_ratio_that_empties_a_layer_names_it(residual: Model) -> None:
    with pytest.raises(PassError, match=r"ratio 0\.95 would empty 'narrow\.conv1', which has 16") as caught:
        prune(residual, Prune(ratio=0.95), None)
    assert 'skip = ["narrow.conv1"]' in str(caught.value.hint)
    pruned = prune(residual, Prune(ratio=0.95, skip=("narrow.conv1",), round_to=1), None)
    assert layer(pruned, "wide.conv1").out_channels == 2


@pytest.mark.parametrize("pattern", ["wide", "wide.*", "wid?.conv1"])
def test_what_is_skipped_keeps_its_channels(residual: Model, pattern: str) -> None:
    pruned = prune(residual, Prune(ratio=0.5, skip=(pattern,)), None)
    assert (layer(pruned, "narrow.conv1").out_channels, layer(pruned, "wide.conv1").out_channels) == (8, 32)


def test_a_name_to_skip_that_is_none_gets_the_nearest(residual: Model) -> None:
    with pytest.raises(UnknownName, match=r"no module of the network is named 'narow\.conv1'") as caught:
        prune(residual, Prune(ratio=0.5, skip=("narow.conv1",)), None)
    assert caught.value.hint == "did you mean 'narrow.conv1'?"


def test_where_everything_is_skipped_nothing_can_be_pruned(residual: Model) -> None:
    with pytest.raises(PassError, match="nothing can be pruned"):
        prune(residual, Prune(ratio=0.5, skip=("*",)), None)


def test_taylor_asks_for_samples(residual: Model) -> None:
    with pytest.raises(PassError, match="needs samples to take gradients on"):
        prune(residual, Prune(ratio=0.5, importance="taylor"), None)


def test_depthwise_layers_gates_and_concatenations_follow(separable: Model) -> None:
    pruned = prune(separable, Prune(ratio=0.5), None)
    depthwise = layer(pruned, "depthwise.0")
    assert (depthwise.groups, depthwise.in_channels, depthwise.out_channels) == (16, 16, 16)
    assert layer(pruned, "gate.down").in_channels == layer(pruned, "gate.up").out_channels == 16
    assert layer(pruned, "stem").out_channels == layer(pruned, "project").out_channels == 8
    assert layer(pruned, "left").out_channels == layer(pruned, "right").out_channels == 8
    assert (layer(pruned, "mix").in_channels, layer(pruned, "mix").out_channels) == (16, 8)
    assert layer(pruned, "hidden").in_features == 8 * 16
    assert layer(pruned, "head").out_features == 4
    assert capture(pruned).signature.outputs[0].shape == (1, 4)


def test_a_transformer_loses_heads_and_mlp_width(transformer: Model, samples: Samples) -> None:
    for importance in ("magnitude", "taylor"):
        pruned = prune(transformer, Prune.model_validate({"ratio": 0.5, "importance": importance}), samples)
        attention = layer(pruned, "layers.0.attention")
        assert (attention.num_heads, attention.head_dim, attention.inner) == (2, 8, 16)
        assert (attention.qkv.out_features, attention.proj.in_features) == (48, 16)
        assert layer(pruned, "layers.1.mlp.0").out_features == layer(pruned, "layers.1.mlp.2").in_features == 64
        assert answers(pruned).shape == (8, 4)
    assert macs(pruned) < 0.6 * macs(transformer)
    assert capture(pruned).signature.outputs[0].shape == (1, 4)


def test_a_head_that_nothing_reads_goes_first(transformer: Model) -> None:
    model = replace(transformer, module=copy.deepcopy(transformer.module))
    attention = layer(model, "layers.0.attention")
    with torch.no_grad():
        attention.proj.weight[:, 8:16] = attention.proj.weight[:, 24:] = 0
    pruned = prune(model, Prune(ratio=0.5, skip=("layers.1", "layers.0.mlp")), None)
    assert layer(pruned, "layers.0.attention").num_heads == 2
    torch.testing.assert_close(answers(pruned), answers(model), rtol=1e-4, atol=1e-4)


def test_heads_that_the_code_counts_for_itself_stay(tmp_path: Path) -> None:
    stubborn = made(tmp_path, substitute("3, self.num_heads, self.head_dim)", "3, 4, self.head_dim)", TRANSFORMER))
    pruned = prune(stubborn, Prune(ratio=0.5), None)
    assert layer(pruned, "layers.0.attention").num_heads == 4
    assert layer(pruned, "layers.0.mlp.0").out_features == 64


def test_two_of_every_four_weights_go(residual: Model) -> None:
    pruned = prune(residual, Prune(pattern="2:4"), None)
    weight, before = layer(pruned, "wide.conv2").weight, layer(residual, "wide.conv2").weight
    fours = weight.detach().reshape(32, 8, 4, 3, 3)
    assert bool(((fours != 0).sum(2) == 2).all())
    kept = fours != 0
    assert torch.equal(fours[kept], before.detach().reshape(32, 8, 4, 3, 3)[kept])
    gone = before.detach().reshape(32, 8, 4, 3, 3).abs().masked_fill(kept, 0).amax(2)
    assert bool((gone <= fours.abs().masked_fill(~kept, torch.inf).amin(2)).all())
    # three inputs are no four, and the last layer gives the outputs
    assert bool((layer(pruned, "stem").weight != 0).all() and (layer(pruned, "head").weight != 0).all())


def test_unstructured_zeros_are_the_smallest_weights(residual: Model) -> None:
    pruned = prune(residual, Prune(pattern="unstructured", ratio=0.75), None)
    weights = [layer(pruned, f"{block}.{conv}").weight for block in ("narrow", "wide") for conv in ("conv1", "conv2")]
    zeros = sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)
    assert zeros == pytest.approx(0.75, abs=0.01)


@pytest.mark.trains
@pytest.mark.skipif(not CASE.is_dir(), reason="the case 'resnet20-cifar10' is not beside this checkout")
def test_resnet20_halves_inside_its_blocks() -> None:
    model = load(Project.read(CASE))
    pruned = prune(model, Prune(macs=0.5), None)
    assert 0.45 * 40_551_040 < macs(pruned) <= 0.5 * 40_551_040
    widths = [layer(pruned, f"layer{stage}.0.conv2").out_channels for stage in (1, 2, 3)]
    assert widths == [16, 32, 64]
    inner = [layer(pruned, f"layer{stage}.{block}.conv1").out_channels for stage in (1, 2, 3) for block in range(3)]
    assert all(
        width % 8 == 0 and width <= full for width, full in zip(inner, [16] * 3 + [32] * 3 + [64] * 3, strict=True)
    )
