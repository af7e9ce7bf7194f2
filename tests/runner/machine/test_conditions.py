from __future__ import annotations

import itertools
import json
import os
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgekit.ir.measurement import Conditions
from edgekit.runner.machine import conditions as module
from edgekit.runner.machine.conditions import conditions, quick
from tests.runner.board_files import plant

CPUFREQ = "sys/devices/system/cpu/cpufreq"
ZONES = "sys/class/thermal/thermal_zone"


def heat(root: Path, *millidegrees: int) -> Path:
    for i, value in enumerate(millidegrees):
        plant(root, {f"{ZONES}{i}/type": f"zone{i}", f"{ZONES}{i}/temp": f"{value}\n"})
    return root


def test_this_machine_says_what_a_record_holds_and_nothing_else() -> None:
    record = conditions()
    assert set(record) == {field.name for field in fields(Conditions)}
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert Conditions(**record).load_1m is not None


def test_a_look_has_every_clock_and_the_hottest_sensor(tmp_path: Path) -> None:
    plant(tmp_path, {f"{CPUFREQ}/policy0/scaling_cur_freq": "1500000\n"})
    plant(tmp_path, {f"{CPUFREQ}/policy4/scaling_cur_freq": "2400000\n"})
    heat(tmp_path, 41000, 62500, -256000)
    assert quick(tmp_path) == {"clock_mhz": {"policy0": 1500.0, "policy4": 2400.0}, "temperature_c": 62.5}
    plant(tmp_path, {f"{CPUFREQ}/policy4/scaling_cur_freq": "600000\n"})
    heat(tmp_path, 71000, 62500)
    assert quick(tmp_path) == {"clock_mhz": {"policy0": 1500.0, "policy4": 600.0}, "temperature_c": 71.0}


def test_a_look_at_a_machine_without_sensors_finds_nothing(tmp_path: Path) -> None:
    assert quick(tmp_path) == {"clock_mhz": {}, "temperature_c": None}


@pytest.mark.parametrize(("read_ns", "sensors"), [(1, 90), (10_000, 16), (10**9, 1)])
def test_a_look_at_a_phone_with_ninety_sensors_reads_the_hottest_that_can_be_read_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_ns: int, sensors: int
) -> None:
    heat(tmp_path, *range(30_000, 75_000, 500))
    for core in range(8):
        plant(tmp_path, {f"{CPUFREQ}/policy{core}/scaling_cur_freq": "1500000\n"})
    clock = SimpleNamespace(perf_counter_ns=itertools.count(0, read_ns).__next__)
    monkeypatch.setattr(module, "time", clock)
    assert quick(tmp_path)["temperature_c"] == 74.5
    read: list[int] = []
    pread = os.pread

    def counted(file: int, size: int, offset: int) -> bytes:
        read.append(file)
        return pread(file, size, offset)

    monkeypatch.setattr("edgekit.runner.machine.sysfs.os.pread", counted)
    assert quick(tmp_path)["temperature_c"] == 74.5
    assert len(read) == len(set(read)) == 8 + sensors


def test_a_look_has_no_time_for_every_sensor_but_for_the_hottest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUDGET_NS", 0)
    assert quick(heat(tmp_path, 30000, 62500, 41000))["temperature_c"] == 62.5
    assert quick(heat(tmp_path, 30000, 61000, 90000))["temperature_c"] == 61.0


def test_a_look_opens_nothing_anew(tmp_path: Path) -> None:
    quick(heat(tmp_path, 41000))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        quick(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_sensor_that_goes_away_is_unknown(tmp_path: Path) -> None:
    quick(heat(tmp_path, 41000))
    plant(tmp_path, {f"{ZONES}0/temp": ""})
    assert quick(tmp_path)["temperature_c"] is None


def test_a_folder_in_place_of_a_file_is_unknown(tmp_path: Path) -> None:
    (tmp_path / f"{ZONES}0/temp").mkdir(parents=True)
    (tmp_path / f"{CPUFREQ}/policy0/scaling_cur_freq").mkdir(parents=True)
    assert quick(tmp_path) == {"clock_mhz": {}, "temperature_c": None}
