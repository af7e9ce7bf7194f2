from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

from edgekit.errors import ProbeError, UnknownName
from edgekit.measure.meter import Reading, check_reading, load_meter
from tests.test_plugins import install

WALL = """
from edgekit.measure.meter import Reading
class Wall:
    def start(self): pass
    def stop(self): return Reading(12.0, 3.0, "wall meter", 0.02)
"""


def test_a_meter_is_made_by_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "wall_meters", "meters", "wall = wall_meters:Wall")
    (tmp_path / "wall_meters.py").write_text(WALL)
    monkeypatch.syspath_prepend(tmp_path)
    meter = load_meter("wall")
    del sys.modules["wall_meters"]
    meter.start()
    assert meter.stop() == Reading(12.0, 3.0, "wall meter", 0.02)
    with pytest.raises(UnknownName, match="no meter is named 'wal'") as caught:
        load_meter("wal")
    assert caught.value.hint == "did you mean 'wall'?"


def test_a_reading_that_makes_sense_is_taken_as_it_is() -> None:
    reading = Reading(12.0, 3.0, "wall meter", 0.02)
    assert check_reading(reading, "wall") is reading
    exact = Reading(0.0, 1e-9, "wall meter", 0.0)
    assert check_reading(exact, "wall") is exact


@pytest.mark.parametrize(
    "numbers", [(math.nan, 1.0, 0.1), (1.0, 0.0, 0.1), (-1.0, 1.0, 0.1), (1.0, math.inf, 0.1), (1.0, 1.0, -0.1)]
)
def test_a_reading_that_makes_none_is_refused(numbers: tuple[float, float, float]) -> None:
    joules, seconds, uncertainty = numbers
    with pytest.raises(ProbeError, match="the meter 'wall' says"):
        check_reading(Reading(joules, seconds, "wall meter", uncertainty), "wall")
