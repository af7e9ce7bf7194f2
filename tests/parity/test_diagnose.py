"""Diagnosis: numbers of layers give a cause and the one thing to try next."""

from __future__ import annotations

import math
import shlex
from dataclasses import replace

import pytest

from edgekit.ir.layers import Layer
from edgekit.parity.diagnose import diagnose
from edgekit.parity.layer_texts import decibels, label
from edgekit.parity.network_outcome import NetworkOutcome
from edgekit.parity.next_step import kept_in_float, overridden
from edgekit.specs.compression import Activations, Quantize, Weights
from edgekit.specs.override import Override, apply
from edgekit.specs.profile import Profile

SOUND = Layer(
    name="conv1",
    node="conv2d",
    kind="conv",
    inputs=(),
    quantized=True,
    macs=1000,
    weight_sqnr_db=45,
    weight_range_ratio=1.5,
    activation_sqnr_db=42,
    activation_low=0,
    activation_high=6,
    activation_p999=4,
    activation_range_ratio=2,
    constant_share=0,
    output_sqnr_db=38,
    by_weights_db=44,
    by_inputs_db=42,
    cumulative_sqnr_db=36,
    clipped=0,
    saturated=0.0005,
)
BROKEN = replace(SOUND, name="conv2", node="conv2d_1", inputs=("conv2d",), output_sqnr_db=2, cumulative_sqnr_db=1)
GOOD = NetworkOutcome(0.99, 0.001, 256)
BAD = NetworkOutcome(0.3, 0.6, 256)
COARSE = Quantize(weights=Weights(granularity="per-tensor"))


def test_a_sound_network_has_nothing_wrong() -> None:
    diagnosis = diagnose([SOUND], Quantize(), GOOD)
    assert (diagnosis.cause, diagnosis.next_step) == ("nothing", None)
    assert diagnosis.sentence.startswith("Nothing is wrong: int8 agrees with the float model to 99.0% on 256 samples")


def test_of_a_sound_network_the_weakest_layer_is_named_if_any_was_measured() -> None:
    weak = replace(SOUND, name="conv2", node="conv2d_1", output_sqnr_db=30)
    (evidence,) = diagnose([SOUND, weak], Quantize(), GOOD).evidence
    assert evidence.startswith("weakest is 'conv2': alone 30.0 dB, by its weights 44.0 dB, by its inputs 42.0 dB, ")
    assert diagnose([replace(SOUND, output_sqnr_db=None)], Quantize(), GOOD).evidence == ()
    nothing_left = replace(SOUND, name="conv3", node="conv2d_2", output_sqnr_db=0.0)
    (evidence,) = diagnose([replace(weak, output_sqnr_db=0.5), nothing_left], Quantize(), GOOD).evidence
    assert evidence.startswith("weakest is 'conv3'")


@pytest.mark.parametrize(
    ("value", "text"), [(None, "no noise"), (math.inf, "no noise"), (-math.inf, "-inf dB"), (19.96, "20.0 dB")]
)
def test_decibels_are_said_of_what_loses_anything(value: float | None, text: str) -> None:
    assert decibels(value) == text


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("conv1", "conv", "conv1"),
        ("block", "add", "block:node"),
        ("block", "mul", "block:node"),
        ("", "conv", "the network:node"),
        ("", "add", "the network:node"),
    ],
)
def test_modules_are_called_by_name_and_functions_by_where_they_are(name: str, kind: str, text: str) -> None:
    assert label(replace(SOUND, name=name, kind=kind, node="node")) == text


def test_a_loss_of_accuracy_is_told_in_points_and_whether_it_may_be_chance() -> None:
    assert str(replace(BAD, accuracy_drop=0.5)).endswith(" and loses 50.0 points of accuracy")
    assert str(replace(BAD, accuracy_drop_low=0.0)).endswith(", which may be chance")
    assert str(replace(BAD, accuracy_drop_low=0.1)).endswith(" points of accuracy")
    assert str(replace(BAD, accuracy_drop=0.0005)).endswith(", and loses no accuracy")
    assert str(replace(BAD, accuracy_drop=None)).endswith(" samples")


def test_uneven_weights_under_one_scale_call_for_equalization() -> None:
    hurt = replace(BROKEN, by_weights_db=3, weight_range_ratio=90)
    diagnosis = diagnose([SOUND, hurt], COARSE, BAD)
    assert diagnosis.cause == "channel ranges"
    assert diagnosis.layers == ("conv2",)
    assert "its output channels' weights differ in range 90 times" in diagnosis.sentence
    assert diagnosis.next_step == "--set profile.quantize.equalize=true"


def test_what_was_tried_already_is_not_proposed_again() -> None:
    hurt = replace(BROKEN, by_weights_db=3, weight_range_ratio=90)
    equalized = COARSE.model_copy(update={"equalize": True})
    step = diagnose([SOUND, hurt], equalized, BAD).next_step
    assert step == "--set profile.quantize.weights.granularity=per-channel"


def test_uneven_activations_are_laid_at_the_layer_that_makes_them() -> None:
    source, hurt = replace(SOUND, activation_range_ratio=50), replace(BROKEN, by_inputs_db=2.5)
    diagnosis = diagnose([source, hurt], Quantize(), BAD)
    assert diagnosis.cause == "channel ranges"
    assert diagnosis.layers == ("conv1", "conv2")
    assert "the channels of 'conv1', which it works on, differ in range 50 times" in diagnosis.sentence
    assert diagnosis.sentence.endswith("leaves the small ones no steps.")
    assert diagnosis.next_step == "--set profile.quantize.equalize=true"


@pytest.mark.parametrize(
    ("recipe", "ratio", "told"), [(COARSE, 90, True), (COARSE, 7.9, False), (Quantize(), 90, False)]
)
def test_weights_as_uneven_as_what_they_work_on_are_told_under_one_scale(
    recipe: Quantize, ratio: float, told: bool
) -> None:
    source = replace(SOUND, activation_range_ratio=50, weight_range_ratio=ratio)
    diagnosis = diagnose([source, replace(BROKEN, by_inputs_db=2.5)], recipe, BAD)
    assert diagnosis.cause == "channel ranges"
    assert ("; so do its weights (90 times) under one scale for the tensor." in diagnosis.sentence) is told


def test_an_outlier_asks_for_another_observer() -> None:
    source = replace(SOUND, activation_high=400, activation_range_ratio=100)
    diagnosis = diagnose([source, replace(BROKEN, by_inputs_db=2.5)], Quantize(), BAD)
    assert diagnosis.cause == "activation outlier"
    assert "an outlier at 'conv1' is 100 times" in diagnosis.sentence
    assert diagnosis.next_step == "--set profile.quantize.activations.observer=auto"


def test_an_outlier_that_no_observer_helps_leaves_both_layers_in_float() -> None:
    source = replace(SOUND, activation_high=400)
    recipe = Quantize(activations=Activations(observer="auto"))
    step = diagnose([source, replace(BROKEN, by_inputs_db=2.5)], recipe, BAD).next_step
    assert step == """--set 'profile.quantize.overrides={"conv1"="float32","conv2"="float32"}'"""


def test_a_scale_that_must_be_the_inputs_is_no_outlier() -> None:
    pool = replace(BROKEN, name="gate.0", kind="average pool", activation_high=64, shared_scale=True)
    diagnosis = diagnose([SOUND, pool], Quantize(), BAD)
    assert diagnosis.cause == "shared scale"
    assert "'gate.0' must keep the scale of its input, whose range is 16 times" in diagnosis.sentence
    assert diagnosis.next_step == """--set 'profile.quantize.overrides={"gate.0"="float32"}'"""


def test_a_range_that_cuts_off_values_is_told_from_one_of_other_data() -> None:
    cutting = replace(SOUND, clipped=0.05, saturated=0.06)
    recipe = Quantize(activations=Activations(observer="percentile"))
    diagnosis = diagnose([cutting, replace(BROKEN, by_inputs_db=2.5)], recipe, BAD)
    assert diagnosis.cause == "clipping"
    assert diagnosis.next_step == "--set profile.quantize.activations.observer=auto"


@pytest.mark.parametrize(
    ("clipped", "saturated", "cause"),
    [
        (0.02, 0.02, "clipping"),
        (0.0199, 0.02, "too few steps"),
        (None, 0.02, "calibration mismatch"),
        (None, 0.0199, "too few steps"),
        (0.05, 0.25, "clipping"),
        (0.05, 0.26, "calibration mismatch"),
    ],
)
def test_a_range_cuts_off_from_a_fiftieth_on_and_other_data_saturate_five_times_as_much(
    clipped: float | None, saturated: float, cause: str
) -> None:
    layer = replace(SOUND, clipped=clipped, saturated=saturated)
    assert diagnose([layer, replace(BROKEN, by_inputs_db=2.5)], Quantize(), BAD).cause == cause


@pytest.mark.parametrize("outcome", [GOOD, BAD])
def test_calibration_data_of_another_range_are_told_even_if_answers_hold(outcome: NetworkOutcome) -> None:
    outside = replace(SOUND, name="image", kind="input", saturated=0.4)
    diagnosis = diagnose(
        [outside, SOUND], Quantize(), replace(outcome, training="project.data.calibration.path=train.npz")
    )
    assert diagnosis.cause == "calibration mismatch"
    assert "at 'image' 40.0% of the values of the evaluation data lie outside the range [0, 6]" in diagnosis.sentence
    assert diagnosis.next_step == "--set project.data.calibration.path=train.npz"


def test_a_layer_without_a_range_to_blame_is_left_in_float() -> None:
    hurt = replace(BROKEN, by_weights_db=2)
    diagnosis = diagnose([SOUND, hurt], Quantize(overrides={"head": "float32"}), BAD)
    assert diagnosis.cause == "too few steps"
    assert diagnosis.next_step == """--set 'profile.quantize.overrides={"head"="float32","conv2"="float32"}'"""


def test_many_small_losses_are_no_layers_fault() -> None:
    diagnosis = diagnose([SOUND, replace(SOUND, name="conv2", output_sqnr_db=24)], Quantize(), BAD)
    assert "No layer breaks it" in diagnosis.sentence
    assert diagnosis.layers == ("conv2", "conv1")
    assert diagnosis.sentence.endswith(" a little is lost at each, most at 'conv2' (24.0 dB), 'conv1' (38.0 dB).")
    assert diagnosis.next_step == "--set profile.quantize.correct_bias=true"


def test_many_small_losses_under_one_scale_call_for_a_scale_per_channel_first() -> None:
    step = diagnose([SOUND, replace(SOUND, name="conv2", output_sqnr_db=24)], COARSE, BAD).next_step
    assert step == "--set profile.quantize.weights.granularity=per-channel"


def test_where_no_module_can_be_named_a_search_is_proposed() -> None:
    step = "edgekit diagnose --write FILE.toml searches the layers to leave in float"
    assert overridden(Quantize(), ()) == step
    nameless = [replace(SOUND, name="", output_sqnr_db=24)]
    assert diagnose(nameless, Quantize(correct_bias=True), BAD).next_step == step


def test_of_a_module_and_what_is_in_it_the_inner_one_is_left_in_float() -> None:
    names = ("layer1", "layer1.0", "layer1.0.conv", "layer10")
    assert kept_in_float([replace(SOUND, name=name) for name in names]) == ("layer1.0.conv", "layer10")


def test_an_input_is_no_module_to_leave_in_float() -> None:
    assert kept_in_float([replace(SOUND, name="image", kind="input"), SOUND]) == ("conv1",)


def test_work_left_in_float_is_told_where_the_profile_did_not_ask_for_it() -> None:
    reason = "the backend quantizes no such operator here"
    left = replace(SOUND, name="up", kind="transposed conv", quantized=False, reason=reason, output_sqnr_db=None)
    diagnosis = diagnose([SOUND, left], Quantize(), GOOD)
    assert diagnosis.cause == "left in float"
    assert f"50% of the multiply-accumulates stay in float: {reason} ('up', transposed conv)" in diagnosis.sentence
    asked_for = replace(left, reason="kept in float by the profile")
    assert diagnose([SOUND, asked_for], Quantize(), GOOD).cause == "nothing"


@pytest.mark.parametrize(("macs", "cause"), [(0, "nothing"), (99, "nothing"), (100, "left in float")])
def test_a_tenth_of_the_work_is_worth_a_word(macs: int, cause: str) -> None:
    left = replace(SOUND, name="up", quantized=False, reason="no such kernel", macs=macs, output_sqnr_db=None)
    assert diagnose([replace(SOUND, macs=900), left], Quantize(), GOOD).cause == cause
    assert diagnose([replace(SOUND, macs=0)], Quantize(), GOOD).cause == "nothing"


def test_gates_of_the_profile_decide_what_is_good() -> None:
    strict = replace(GOOD, agreement_min=0.999)
    assert not strict.good
    assert replace(GOOD, accuracy_drop=None).good
    assert diagnose([SOUND], Quantize(), strict).cause == "too few steps"


def test_a_loss_that_may_be_chance_is_no_fault() -> None:
    few = NetworkOutcome(0.965, 0.012, 256, agreement_min=0.97, agreement_high=0.98, accuracy_drop_low=-0.004)
    diagnosis = diagnose([SOUND], Quantize(), few)
    assert diagnosis.cause == "nothing"
    assert "loses 1.2 points of accuracy, which may be chance" in diagnosis.sentence
    assert diagnose([SOUND], Quantize(), replace(few, accuracy_drop_low=0.011)).cause == "too few steps"


def test_what_is_proposed_is_what_set_takes() -> None:
    profile = Profile.model_validate(
        {"schema": 1, "id": "x", "summary": "x", "families": ["host"], "quantize": {"overrides": {"a": "float32"}}}
    )
    assert profile.quantize
    flag, text = shlex.split(overridden(profile.quantize, ("layer1.0.conv1", "b")))
    assert flag == "--set"
    changed = apply(profile, "profile", [Override.parse(text)])
    assert changed.quantize
    assert changed.quantize.overrides == {"a": "float32", "layer1.0.conv1": "float32", "b": "float32"}


def test_the_loss_of_a_metric_with_a_unit_is_told_as_a_share_of_its_value() -> None:
    assert str(NetworkOutcome(0.9, 0.05, 64, unit="dB")).endswith("and loses 5.0 % of the metric's value")
    assert str(NetworkOutcome(0.9, 0.05, 64)).endswith("and loses 5.0 points of accuracy")


def joined(small: Layer, kind: str = "cat") -> list[Layer]:
    large = replace(SOUND, name="", node="mul", kind="mul", activation_low=0, activation_high=90, activation_p999=88)
    return [large, small, replace(SOUND, name="", node="cat", kind=kind, inputs=("mul", small.node), output_sqnr_db=40)]


def test_boxes_and_scores_under_one_scale_are_told_at_the_operator_that_joins_them() -> None:
    scores = replace(SOUND, name="scores", node="sigmoid", kind="sigmoid", activation_high=1, activation_p999=0.8)
    diagnosis = diagnose(joined(scores), Quantize(), BAD)
    assert diagnosis.cause == "shared scale"
    assert (
        "'the network:cat' (cat) joins 'the network:mul' and 'scores', which differ 110 times in range"
        in diagnosis.sentence
    )
    assert diagnosis.nodes == ("cat", "mul", "sigmoid")
    assert "outputs of their own" in str(diagnosis.next_step)
    # The scores are the first that lose, as they had to take the scale of both.
    hurt = replace(scores, output_sqnr_db=5, activation_high=90)
    assert diagnose(joined(hurt), Quantize(), BAD).cause == "shared scale"
    # Nothing is told where answers hold, where something is lost before, and where no scale is shared.
    assert diagnose(joined(scores), Quantize(), GOOD).cause == "nothing"
    assert "'conv2' (conv), to 2.0 dB alone" in diagnose([SOUND, BROKEN, *joined(scores)], Quantize(), BAD).sentence
    assert "No layer breaks it" in diagnose(joined(scores, kind="add"), Quantize(), BAD).sentence


def test_parts_of_like_ranges_share_a_scale_without_harm() -> None:
    like = replace(SOUND, name="scores", node="sigmoid", activation_p999=12)
    assert "No layer breaks it" in diagnose(joined(like), Quantize(), BAD).sentence
    assert diagnose(joined(replace(like, activation_p999=11)), Quantize(), BAD).cause == "shared scale"


def test_weights_left_in_float_are_told_though_they_multiply_nothing() -> None:
    reason = "the backend quantizes no such operator here"
    cell = Layer("words", "words", "gru", (), quantized=False, reason=reason, weights=300)
    diagnosis = diagnose([replace(SOUND, weights=100), cell], Quantize(), GOOD)
    assert diagnosis.cause == "left in float"
    assert diagnosis.layers == ("words",)
    assert f"in float stay 'words' (gru, 75% of all weights): {reason}" in diagnosis.sentence
    assert diagnosis.next_step
    assert "integer_share=false" in diagnosis.next_step
    table = replace(cell, reason="its table is stored in int8, and rows are dequantized as they are looked up")
    for sound in (replace(cell, weights=5), table):
        assert diagnose([replace(SOUND, weights=100), sound], Quantize(), GOOD).cause == "nothing"
