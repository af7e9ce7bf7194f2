"""Overrides: one option of quantization does not make a float profile quantize."""

from __future__ import annotations

import pytest

from edgekit.errors import SpecError
from edgekit.specs.catalog import Catalog
from edgekit.specs.override import Override, apply


def test_an_option_of_quantization_is_refused_for_a_profile_of_float() -> None:
    profile = Catalog.default().profile("float32")
    with pytest.raises(SpecError, match="quantizes nothing") as caught:
        apply(profile, "profile", [Override.parse("profile.quantize.repair=false")])
    assert "profile.quantize.mode=static" in str(caught.value.hint)


@pytest.mark.parametrize("started", ["profile.quantize.mode=dynamic", 'profile.quantize={"mode"="dynamic"}'])
def test_a_mode_makes_it_quantize(started: str) -> None:
    changes = [Override.parse(started), Override.parse("profile.quantize.repair=false")]
    profile = apply(Catalog.default().profile("float32"), "profile", changes)
    assert profile.quantize
    assert (profile.quantize.mode, profile.quantize.repair) == ("dynamic", False)
