"""What rounding does to the layers of the digits example."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgekit.errors import PassError
from edgekit.frontend.capture import capture
from edgekit.frontend.load import load
from edgekit.ir.layers import Layer, from_json, to_json
from edgekit.ir.program import Program
from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.base import outputs
from edgekit.passes.pruning.layer_changes import changes
from edgekit.passes.quantization.quantize import QuantizePass
from edgekit.passes.sensitivity.analysis import Analysis, analyse, sensitivity
from edgekit.passes.sensitivity.statistics import Extent, channel_axis
from edgekit.specs.compression import Quantize, Weights
from edgekit.specs.project import Project
from tests.faulty_projects import NOT_FINITE, PROJECT, ailing, asked, samples


def test_a_number_a_sample_is_one_channel_in_batches_of_any_size() -> None:
    """The score of an autoencoder, [N]: its only axis is the batch's."""
    extent = Extent(channel_axis("mean", (8,)))
    extent.add(torch.arange(8.0))
    extent.add(torch.tensor([9.0, -1.0, 2.0]))
    assert extent.bounds == (-1, 9)
    assert extent.ratio is None


@pytest.fixture(scope="module")
def program() -> Program:
    return capture(load(PROJECT))


@pytest.fixture(scope="module")
def analysis(program: Program) -> Analysis:
    return analyse(program, Quantize(), asked, samples("calibration", 96), samples("evaluation", 64))


@pytest.fixture(scope="module")
def layers(analysis: Analysis) -> dict[str, Layer]:
    return {layer.name or layer.kind: layer for layer in analysis.layers}


def test_layers_bear_the_users_names_and_come_in_execution_order(layers: dict[str, Layer]) -> None:
    named = ["image", "conv1", "conv2", "block.conv1", "block.conv2", "block", "mean", "linear"]
    assert list(layers) == named
    assert layers["block"].kind == "add"
    assert layers["block"].inputs == (layers["conv2"].node, layers["block.conv2"].node)
    assert layers["conv2"].inputs == (layers["conv1"].node,)
    assert all(layer.quantized for layer in layers.values())


def test_the_simulation_is_what_the_quantized_program_computes(program: Program, analysis: Analysis) -> None:
    checks = samples("evaluation", 64)
    made = QuantizePass(Quantize(), asked, samples("calibration", 96))(program, checks[:1])
    expected = outputs(made.exported, checks).reshape(64, 10)
    assert sqnr_db(expected, analysis.rounded[0]) > 40  # two roundings that fall on one side or the other of a half
    np.testing.assert_allclose(analysis.floats[0], outputs(program.exported, checks).reshape(64, 10), atol=1e-4)


def test_the_last_layer_has_the_networks_sqnr(layers: dict[str, Layer], analysis: Analysis) -> None:
    assert layers["linear"].cumulative_sqnr_db == pytest.approx(
        sqnr_db(analysis.floats[0], analysis.rounded[0]), abs=0.1
    )


def test_a_layer_alone_loses_no_less_than_by_its_weights_or_its_inputs(layers: dict[str, Layer]) -> None:
    for name in ("conv1", "conv2", "block.conv1", "block.conv2", "linear"):
        layer = layers[name]
        assert layer.output_sqnr_db is not None
        assert layer.by_weights_db is not None
        assert layer.by_inputs_db is not None
        assert 30 < layer.output_sqnr_db < min(layer.by_weights_db, layer.by_inputs_db)


def test_multiply_accumulates_are_those_of_the_network(layers: dict[str, Layer]) -> None:
    assert layers["conv1"].macs == 16 * 8 * 8 * 9
    assert layers["block.conv1"].macs == 56 * 4 * 4 * 56 * 9
    assert layers["linear"].macs == 560
    assert layers["block"].macs == 0


NOT_MEASURED: dict[str, set[str]] = {
    "input": {"weight_sqnr_db", "weight_range_ratio", "activation_range_ratio", "output_sqnr_db"}
    | {"by_weights_db", "by_inputs_db"},
    "conv": set(),
    "add": {"weight_sqnr_db", "weight_range_ratio", "by_weights_db"},
    "mean": {"weight_sqnr_db", "weight_range_ratio", "by_weights_db"},
    "linear": {"activation_sqnr_db", "clipped", "saturated"},
}
"""By kind of layer. Pixels have no channel to compare, what adds has no weights, and the answers stay in float."""


def test_every_statistic_of_a_layer_is_there_but_those_that_it_cannot_have(layers: dict[str, Layer]) -> None:
    for layer in layers.values():
        absent = {field.name for field in fields(layer) if getattr(layer, field.name) is None}
        assert absent == NOT_MEASURED[layer.kind], layer.name


def test_ranges_of_a_sound_network_are_even_and_hold_new_samples(layers: dict[str, Layer]) -> None:
    assert max(layer.clipped for layer in layers.values() if layer.clipped is not None) == 0
    assert 0 < max(layer.saturated for layer in layers.values() if layer.saturated is not None) < 0.005
    assert all(layer.outlier_ratio is not None and 0.9 < layer.outlier_ratio < 3 for layer in layers.values())
    ratios = (layer.weight_range_ratio for layer in layers.values() if layer.weight_range_ratio is not None)
    assert all(1 < ratio < 3 for ratio in ratios)


def test_one_scale_for_all_channels_costs_weights(program: Program, layers: dict[str, Layer]) -> None:
    recipe = Quantize(weights=Weights(granularity="per-tensor"))
    coarse = {x.name: x for x in sensitivity(program, recipe, asked, samples("calibration", 16), [])}
    for name in ("conv1", "conv2", "block.conv1"):
        fine = layers[name].weight_sqnr_db
        assert fine is not None
        assert (coarse[name].weight_sqnr_db or math.inf) < fine - 1
    assert coarse["linear"].cumulative_sqnr_db is None


def test_a_module_that_the_recipe_keeps_in_float_says_so(program: Program) -> None:
    recipe = Quantize(overrides={"block.conv1": "float32"})
    kept = {x.name: x for x in sensitivity(program, recipe, asked, samples("calibration", 16), [])}["block.conv1"]
    assert not kept.quantized
    assert kept.reason == "kept in float by the profile"
    assert kept.output_sqnr_db is None


def test_layers_survive_json_infinities_and_all(layers: dict[str, Layer]) -> None:
    exact = replace(layers["conv1"], output_sqnr_db=math.inf, cumulative_sqnr_db=-math.inf, weight_sqnr_db=None)
    assert from_json(to_json([exact, layers["block"]])) == (exact, layers["block"])


def test_values_that_are_not_finite_are_laid_at_the_layer_that_makes_them(tmp_path: Path) -> None:
    broken = capture(load(Project.read(ailing(tmp_path / "nan", NOT_FINITE))))
    with pytest.raises(
        PassError, match=r"'block\.conv1' \(conv\) gives values that are not finite on calibration sample 0"
    ):
        sensitivity(broken, Quantize(), asked, samples("calibration", 4), [])


@pytest.mark.parametrize(
    ("recipe", "count", "said"),
    [(Quantize(), 0, "without samples"), (Quantize(mode="dynamic"), 4, "mode 'dynamic' has no ranges")],
)
def test_what_cannot_be_analysed_is_refused(program: Program, recipe: Quantize, count: int, said: str) -> None:
    with pytest.raises(PassError, match=said):
        sensitivity(program, recipe, asked, samples("calibration", 4)[:count], [])


def test_changes_tell_channels_and_outputs_against_the_original() -> None:
    from edgekit.examples.digits.model import Digits, digits

    original, cut = digits(), Digits(width=24).eval()
    float_pixels = [
        tuple(pixels.float().permute(0, 3, 1, 2) for pixels in sample) for sample in samples("evaluation", 4)
    ]
    by_name = {change.name: change for change in changes(original, cut, float_pixels)}
    assert (by_name["conv2"].channels, by_name["conv2"].kept, by_name["conv2"].sqnr_db) == (56, 24, None)
    assert by_name["linear"].kept == 10
    assert by_name["linear"].sqnr_db is not None
    same = {change.name: change for change in changes(original, original, float_pixels)}
    assert same["block.conv1"].sqnr_db == math.inf
