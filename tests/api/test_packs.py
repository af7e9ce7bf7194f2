"""Runtime packs by name and format."""

from __future__ import annotations

import pytest

from edgekit.api.packs import pack_recipes
from edgekit.devices.packs.recipe import RECIPES
from edgekit.errors import UnknownName


def test_a_format_and_its_distribution_are_the_same_pack() -> None:
    assert [recipe.distribution for recipe in pack_recipes(["onnx"])] == ["onnxruntime"]
    assert pack_recipes(["onnxruntime", "onnx"]) == pack_recipes(["onnx"])


def test_packs_come_in_the_order_of_their_table() -> None:
    assert pack_recipes(["all"]) == list(RECIPES)
    names = [recipe.distribution for recipe in RECIPES]
    assert pack_recipes(names[::-1]) == list(RECIPES)


def test_an_unknown_pack_is_refused_beside_all() -> None:
    with pytest.raises(UnknownName, match="there is no runtime pack for 'tflit'") as refused:
        pack_recipes(["all", "tflit"])
    assert refused.value.hint == "did you mean 'tflite'?"
