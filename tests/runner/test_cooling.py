from __future__ import annotations

import threading
import time
from pathlib import Path

from edgekit.runner.cooling import cool_down
from tests.runner.board import plant

ZONE = "sys/class/thermal/thermal_zone0"


def heat(root: Path, celsius: float) -> Path:
    return plant(root, {f"{ZONE}/type": "cpu", f"{ZONE}/temp": f"{celsius * 1e3:.0f}\n"})


def test_a_cool_machine_is_not_waited_for(tmp_path: Path) -> None:
    start = time.monotonic()
    assert cool_down(40.0, 30, heat(tmp_path, 40.9)) is True
    assert time.monotonic() - start < 0.4


def test_a_hot_machine_is_waited_for_until_it_is_cool(tmp_path: Path) -> None:
    heat(tmp_path, 60)
    timer = threading.Timer(0.3, lambda: heat(tmp_path, 41))
    timer.start()
    start = time.monotonic()
    assert cool_down(40.0, 30, tmp_path) is True
    assert 0.3 <= time.monotonic() - start < 5
    timer.join()


def test_a_machine_that_stays_hot_is_given_up(tmp_path: Path) -> None:
    start = time.monotonic()
    assert cool_down(40.0, 0.2, heat(tmp_path, 41.5)) is False
    assert 0.2 <= time.monotonic() - start < 2


def test_without_a_sensor_nothing_is_known(tmp_path: Path) -> None:
    assert cool_down(40.0, 30, tmp_path) is None
