from __future__ import annotations

import math

import pytest

from edgekit.errors import ProbeError
from edgekit.measure.meter import Reading, checked


def test_a_reading_that_makes_sense_is_taken_as_it_is() -> None:
    reading = Reading(12.0, 3.0, "wall meter", 0.02)
    assert checked(reading, "wall") is reading
    exact = Reading(0.0, 1e-9, "wall meter", 0.0)
    assert checked(exact, "wall") is exact


@pytest.mark.parametrize(
    "numbers", [(math.nan, 1.0, 0.1), (1.0, 0.0, 0.1), (-1.0, 1.0, 0.1), (1.0, math.inf, 0.1), (1.0, 1.0, -0.1)]
)
def test_a_reading_that_makes_none_is_refused(numbers: tuple[float, float, float]) -> None:
    joules, seconds, uncertainty = numbers
    with pytest.raises(ProbeError, match="the meter 'wall' says"):
        checked(Reading(joules, seconds, "wall meter", uncertainty), "wall")
