"""Weights and arithmetic that stay in float by rule are left out of the shares of integers, each once."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.ir.artifact import Artifact, Operator, Placement
from edgekit.ir.signature import Signature
from edgekit.ir.stored_weights import StoredWeight, stored_weights


def test_one_weight_in_float_goes_for_each_that_is_fixed() -> None:
    weights = [
        StoredWeight("cosine", 100, 400, False),
        StoredWeight("other of that size", 100, 400, False),
        StoredWeight("layer", 100, 100, True),
        StoredWeight("large", 200, 200, True),
    ]
    left = stored_weights(weights).without([100, 7])
    assert [weight.elements for weight in left.weights] == [100, 100, 200]
    assert left.integer_share == pytest.approx(0.75)
    assert left.bytes == 700
    assert stored_weights(weights).without([]).weights == tuple(weights)


def test_arithmetic_of_the_preprocessing_is_no_lack_of_integers() -> None:
    operators = (
        Operator("spectrum", "xnnpack", 900, 10, False),
        Operator("conv", "xnnpack", 90, 10, True),
        Operator("head", "xnnpack", 10, 10, False),
    )
    artifact = Artifact((Path("model.tflite"),), "tflite", Signature((), ()), Placement(operators), 1.0)
    assert artifact.integer_macs == pytest.approx(0.09)
    fixed = Artifact((Path("model.tflite"),), "tflite", Signature((), ()), Placement(operators), 1.0, fixed_macs=900)
    assert fixed.integer_macs == pytest.approx(0.9)
    assert fixed.macs == 1000


def test_products_of_activations_in_float_are_known_apart_from_other_float() -> None:
    operators = (
        Operator("CONV_2D", "xnnpack", 50, 10, True),
        Operator("CONV_2D", "xnnpack", 20, 10, False),
        Operator("BATCH_MATMUL", "xnnpack", 20, 10, False),
        Operator("BATCH_MATMUL", None, 10, 10, False),  # falls back: another gate's
    )
    artifact = Artifact(
        (Path("model.tflite"),), "tflite", Signature((), ()), Placement(operators), 1.0,
        float_products=frozenset({"BATCH_MATMUL"}),
    )  # fmt: skip
    assert (artifact.integer_macs, artifact.float_only_macs) == (0.5, 0.2)
