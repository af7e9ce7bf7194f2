from __future__ import annotations

import pytest

from edgekit.errors import SpecError
from edgekit.specs.catalog import Catalog
from edgekit.specs.cost import BOARDS, SOURCES, Cost
from edgekit.specs.override import Override, apply
from edgekit.specs.profile import Profile
from edgekit.specs.spec import parse

PROFILE = Profile(schema_version=1, id="p", summary="a recipe", families=("host",))
PRICES = {
    "device_price": 90.0,
    "electricity_per_kwh": 0.3,
    "instance_price_per_hour": 0.1,
    "training_price_per_hour": 1,
}


def test_every_default_has_a_source() -> None:
    assert {name for name, field in Cost.model_fields.items() if isinstance(field.default, float)} == set(SOURCES)


def test_every_board_with_a_price_is_a_target() -> None:
    assert set(BOARDS) <= {target.id for target in Catalog.default().targets()}


def test_a_profile_has_no_cost_unless_it_says_so() -> None:
    assert PROFILE.cost is None


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [("profile.cost.watts=5", "watts", 5.0), ("profile.cost.throughput_per_s=1200.5", "throughput_per_s", 1200.5)],
)
def test_a_number_can_be_set_on_the_command_line(text: str, name: str, value: float) -> None:
    profile = apply(PROFILE, "profile", [Override.parse(text)])
    assert profile.cost
    assert getattr(profile.cost, name) == value
    assert profile.cost.model_fields_set == {name}


def test_another_currency_states_every_price() -> None:
    assert parse(Cost, {"currency": "EUR", **PRICES}, "profile").currency == "EUR"
    for missing in PRICES:
        stated = {name: price for name, price in PRICES.items() if name != missing}
        with pytest.raises(SpecError, match=f"the defaults are US dollars: state '{missing}' in EUR too"):
            parse(Cost, {"currency": "EUR", **stated}, "profile")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("utilisation", 0.0),
        ("utilisation", 1.5),
        ("instance_utilisation", 0.0),
        ("years", 0.0),
        ("watts", -1.0),
        ("device_price", -1.0),
        ("throughput_per_s", 0.0),
        ("currency", "dollars"),
        ("discount", 0.5),
    ],
)
def test_what_cannot_be_is_refused(name: str, value: object) -> None:
    with pytest.raises(SpecError, match=f"'{name}'"):
        parse(Cost, {name: value}, "profile")
