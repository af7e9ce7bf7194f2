from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.runner.timing import cooling
from edgekit.runner.timing.cooling import PERIOD_S, cool_down
from tests.runner.board_files import plant
from tests.runner.clock import Clock

ZONE = "sys/class/thermal/thermal_zone0"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(cooling, "time", made)
    return made


def heat(root: Path, celsius: float) -> Path:
    return plant(root, {f"{ZONE}/type": "cpu", f"{ZONE}/temp": f"{celsius * 1e3:.0f}\n"})


def test_a_cool_machine_is_not_waited_for(clock: Clock, tmp_path: Path) -> None:
    start = clock.monotonic()
    assert cool_down(40.0, 30, heat(tmp_path, 40.9)) is True
    assert clock.monotonic() == start


def test_a_hot_machine_is_waited_for_until_it_is_cool(clock: Clock, tmp_path: Path) -> None:
    heat(tmp_path, 60)
    clock.at(3.5, lambda: heat(tmp_path, 41))
    start = clock.monotonic()
    assert cool_down(40.0, 30, tmp_path) is True
    assert 3.5 <= clock.monotonic() - start <= 3.5 + PERIOD_S


def test_a_machine_that_stays_hot_is_given_up(clock: Clock, tmp_path: Path) -> None:
    start = clock.monotonic()
    assert cool_down(40.0, 2.2, heat(tmp_path, 41.5)) is False
    assert clock.monotonic() - start == pytest.approx(2.2)


def test_without_a_sensor_nothing_is_known(clock: Clock, tmp_path: Path) -> None:
    assert cool_down(40.0, 30, tmp_path) is None
