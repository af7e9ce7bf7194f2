"""A profile written as TOML is the profile that is read from it."""

from __future__ import annotations

import tomllib

import pytest

from edgekit.specs.catalog import Catalog
from edgekit.specs.compression import Quantize
from edgekit.specs.profile import Profile
from edgekit.specs.spec import parse
from edgekit.specs.writing import to_toml


def read(text: str, name: str) -> Profile:
    return parse(Profile, tomllib.loads(text), name, derived={"id": name})


@pytest.mark.parametrize("profile", Catalog.default().profiles(), ids=lambda profile: profile.id)
def test_every_profile_survives_being_written(profile: Profile) -> None:
    assert read(to_toml(profile, frozenset({"id"})), profile.id) == profile


def test_names_and_texts_that_need_quotes_get_them() -> None:
    quantize = Quantize(overrides={"layer1.0.conv1": "float32", "head": "int8"}, skip=("a.*",))
    profile = Catalog.default().profile("host-int8")
    changed = profile.model_copy(update={"quantize": quantize, "summary": 'says "no" \\ and ü'})
    text = to_toml(changed, frozenset({"id"}))
    assert '[quantize.overrides]\n"layer1.0.conv1" = "float32"\nhead = "int8"' in text
    assert read(text, "host-int8") == changed
