from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.runner.machine import energy, energy_rapl, power_integrator
from edgekit.runner.machine.energy import idle_watts, meter
from tests.runner.board_files import plant
from tests.runner.clock import Clock

RAPL = "sys/class/powercap/intel-rapl"
CHIP = "sys/class/hwmon/hwmon1"
BATTERY = "sys/class/power_supply/battery"
DISCHARGING = {f"{BATTERY}/type": "Battery\n", f"{BATTERY}/status": "Discharging\n"}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Of the meters, and of these tests."""
    made = Clock()
    for module in (energy, energy_rapl, power_integrator, sys.modules[__name__]):
        monkeypatch.setattr(module, "time", made)
    return made


def packages(root: Path, *energy_uj: int) -> Path:
    """Packages with a sub-domain of cores each, and the platform's domain beside them, as a laptop has it."""
    for i, microjoules in enumerate(energy_uj):
        for domain, name in (
            (f"{RAPL}:{i}", f"package-{i}"),
            (f"{RAPL}:{i}:0", "core"),
            (f"{RAPL}-mmio:{i}", "package"),
        ):
            files = {"name": f"{name}\n", "energy_uj": f"{microjoules}\n", "max_energy_range_uj": "262143328850\n"}
            plant(root, {f"{domain}/{file}": content for file, content in files.items()})
    psys = {"name": "psys\n", "energy_uj": f"{sum(energy_uj)}\n", "max_energy_range_uj": "262143328850\n"}
    return plant(root, {f"{RAPL}:{len(energy_uj)}/{file}": content for file, content in psys.items()})


def rail(root: Path, name: str, volts: float, amperes: float, at: int = 1) -> Path:
    files = {f"in{at}_label": name, f"in{at}_input": f"{volts * 1e3:.0f}", f"curr{at}_input": f"{amperes * 1e3:.0f}"}
    files |= {"name": "ina3221", f"shunt{at}_resistor": "5000"}
    return plant(root, {f"{CHIP}/{file}": f"{content}\n" for file, content in files.items()})


def span(root: Path, *steps: Any) -> dict[str, Any] | None:
    """What the meter says of a span in which each of `steps` is called and looked at, 20 ms apart."""
    reader = meter(root)
    assert reader is not None
    reader.start()
    for step in steps:
        time.sleep(0.02)
        step()
        reader.look()
    return reader.stop()


def test_a_machine_without_a_sensor_has_no_meter(tmp_path: Path) -> None:
    assert meter(tmp_path) is None


def test_packages_are_counted_once_each(tmp_path: Path) -> None:
    packages(tmp_path, 1_000_000, 5_000_000)
    used = span(
        tmp_path, lambda: packages(tmp_path, 3_000_000, 8_000_000), lambda: packages(tmp_path, 4_000_000, 8_500_000)
    )
    assert used is not None
    assert used["joules"] == pytest.approx(3 + 3.5)
    assert used["seconds"] == pytest.approx(0.04)
    assert used["method"] == "RAPL counter of package-0, package-1: the processor only"
    assert 0.05 <= used["uncertainty"] < 0.1


def test_a_counter_that_wraps_around_goes_on(tmp_path: Path) -> None:
    packages(tmp_path, 262143328850 - 1_000_000)
    used = span(tmp_path, lambda: packages(tmp_path, 500_000), lambda: packages(tmp_path, 700_000))
    assert used is not None
    assert used["joules"] == pytest.approx(1.7)


def test_counters_that_are_roots_to_read_are_no_meter(tmp_path: Path) -> None:
    plant(tmp_path, {f"{RAPL}:0/name": "package-0\n"})
    (tmp_path / f"{RAPL}:0/energy_uj").mkdir()
    assert meter(tmp_path) is None


def test_a_counter_that_falls_silent_says_nothing(tmp_path: Path) -> None:
    packages(tmp_path, 1_000_000)
    assert span(tmp_path, lambda: plant(tmp_path, {f"{RAPL}:0/energy_uj": ""})) is None


def test_a_meter_can_be_started_again(tmp_path: Path) -> None:
    packages(tmp_path, 1_000_000)
    reader = meter(tmp_path)
    assert reader is not None
    for joules in (1, 2):
        reader.start()
        before = int((tmp_path / f"{RAPL}:0/energy_uj").read_text())
        packages(tmp_path, before + joules * 1_000_000)
        time.sleep(1.0)
        used = reader.stop()
        assert used is not None
        assert used["joules"] == pytest.approx(joules)


def test_steady_power_is_power_times_time(tmp_path: Path) -> None:
    used = span(rail(tmp_path, "VDD_IN", 5.0, 1.0), *[lambda: None] * 3)
    assert used is not None
    assert used["joules"] == pytest.approx(5.0 * used["seconds"])
    assert used["method"] == "INA3221, VDD_IN: the whole module"
    # 80 uV of 5 mV over the shunt, 1 % of the resistor, 20 mV and 0.25 % of 5 V, 0.25 % of the shunt's gain.
    assert used["uncertainty"] == pytest.approx(0.0197, abs=0.0002)


def test_a_heavier_load_is_known_better_and_an_unsteady_one_worse(tmp_path: Path) -> None:
    light = span(rail(tmp_path, "VDD_IN", 5.0, 0.5), lambda: None)
    heavy = span(rail(tmp_path, "VDD_IN", 5.0, 4.0), lambda: None)
    unsteady = span(tmp_path, *[lambda i=i: rail(tmp_path, "VDD_IN", 5.0, 4.0 + i % 2 * 3) for i in range(6)])
    assert light is not None
    assert heavy is not None
    assert unsteady is not None
    assert heavy["uncertainty"] < 0.015 < light["uncertainty"]
    assert unsteady["uncertainty"] > 0.1


def test_a_reading_that_is_only_repeated_tells_nothing_new(tmp_path: Path) -> None:
    fresh = span(
        rail(tmp_path, "VDD_IN", 5.0, 1.0), *[lambda i=i: rail(tmp_path, "VDD_IN", 5.0, 1 + i % 2) for i in range(8)]
    )
    rail(tmp_path, "VDD_IN", 5.0, 1.0)
    stale = span(tmp_path, *[lambda i=i: rail(tmp_path, "VDD_IN", 5.0, 1 + i // 4) for i in range(8)])
    assert fresh is not None
    assert stale is not None
    assert stale["uncertainty"] > 1.5 * fresh["uncertainty"]


def test_a_ramp_is_integrated_by_trapezoids(tmp_path: Path) -> None:
    rail(tmp_path, "VDD_IN", 5.0, 1.0)
    reader = meter(tmp_path)
    assert reader is not None
    reader.start()
    time.sleep(0.1)
    rail(tmp_path, "VDD_IN", 5.0, 3.0)
    used = reader.stop()
    assert used is not None
    assert used["joules"] / used["seconds"] == pytest.approx(10.0)


def test_the_rails_that_feed_an_agx_orin_add_up_and_what_they_feed_is_not_counted_again(tmp_path: Path) -> None:
    rail(tmp_path, "VDD_GPU_SOC", 12.0, 0.2, at=1)
    rail(tmp_path, "VDD_CPU_CV", 12.0, 0.05, at=2)
    assert meter(tmp_path) is None
    rail(tmp_path, "VIN_SYS_5V0", 5.0, 0.8, at=3)
    plant(tmp_path, {f"{CHIP}/in7_label": "sum of shunt voltages\n", f"{CHIP}/in7_input": "999\n"})
    used = span(tmp_path, lambda: None)
    assert used is not None
    assert used["joules"] / used["seconds"] == pytest.approx(7.0)


def test_a_rail_of_a_part_is_not_the_machines(tmp_path: Path) -> None:
    rail(tmp_path, "VDD_CPU_GPU_CV", 5.0, 0.5, at=2)
    assert meter(tmp_path) is None


@pytest.mark.parametrize("sign", [1, -1])
def test_a_battery_gives_current_times_voltage_whatever_sign_its_vendor_likes(tmp_path: Path, sign: int) -> None:
    reading = {f"{BATTERY}/current_now": f"{sign * 500_000}\n", f"{BATTERY}/voltage_now": "4000000\n"}
    used = span(plant(tmp_path, {**DISCHARGING, **reading}), lambda: None)
    assert used is not None
    assert used["joules"] == pytest.approx(2.0 * used["seconds"])
    assert used["uncertainty"] == pytest.approx(0.1)


def test_a_laptops_battery_gives_power(tmp_path: Path) -> None:
    used = span(plant(tmp_path, {**DISCHARGING, f"{BATTERY}/power_now": "9500000\n"}), lambda: None)
    assert used is not None
    assert used["joules"] == pytest.approx(9.5 * used["seconds"])


def test_a_gauge_in_another_unit_is_no_meter(tmp_path: Path) -> None:
    # `current now: 321` of a Samsung, https://gh0st.tistory.com/6: milliamperes.
    reading = {f"{BATTERY}/current_now": "321\n", f"{BATTERY}/voltage_now": "4063000\n"}
    assert meter(plant(tmp_path, {**DISCHARGING, **reading})) is None


def test_a_battery_on_a_cable_is_no_meter_and_stops_being_one(tmp_path: Path) -> None:
    plant(tmp_path, {**DISCHARGING, f"{BATTERY}/power_now": "9500000\n"})
    assert span(tmp_path, lambda: plant(tmp_path, {f"{BATTERY}/status": "Charging\n"})) is None
    assert meter(tmp_path) is None


def test_a_board_is_believed_before_its_processor_and_that_before_a_battery(tmp_path: Path) -> None:
    plant(tmp_path, {**DISCHARGING, f"{BATTERY}/power_now": "9500000\n"})
    methods: list[str] = []
    for add in (lambda: None, lambda: packages(tmp_path, 1_000_000), lambda: rail(tmp_path, "VDD_IN", 5.0, 1.0)):
        add()
        used = span(tmp_path, lambda: packages(tmp_path, 9_000_000) if methods else None)
        assert used is not None
        methods.append(used["method"].split()[0].strip(","))
    assert methods == ["battery", "RAPL", "INA3221"]


def test_idle_power_is_looked_at_while_nothing_runs(clock: Clock, tmp_path: Path) -> None:
    rail(tmp_path, "VDD_IN", 5.0, 0.6)
    clock.at(0.2, lambda: rail(tmp_path, "VDD_IN", 5.0, 1.0))
    clock.at(0.7, lambda: rail(tmp_path, "VDD_IN", 5.0, 0.6))
    # 3 W at first, 5 W after half a second, 3 W after one and at the end.
    assert idle_watts(1.2, tmp_path) == pytest.approx((4.0 * 0.5 + 4.0 * 0.5 + 3.0 * 0.2) / 1.2)
    (tmp_path / f"{CHIP}/in1_input").unlink()
    assert idle_watts(30, tmp_path) is None


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=24), st.binary(max_size=24))
def test_no_content_of_any_file_raises(tmp_path_factory: pytest.TempPathFactory, one: bytes, other: bytes) -> None:
    root = tmp_path_factory.mktemp("fuzzed")
    packages(root, 1)
    rail(rail(root, "VDD_IN", 5, 1), "VDD_IN", 5, 1, at=2)
    plant(root, {**DISCHARGING, f"{BATTERY}/power_now": one, f"{BATTERY}/current_now": other})
    for path in (f"{CHIP}/in1_input", f"{CHIP}/in2_input", f"{RAPL}:0/max_energy_range_uj"):
        plant(root, {path: one})
    for path in (f"{CHIP}/curr1_input", f"{CHIP}/shunt2_resistor", f"{RAPL}:0/energy_uj"):
        plant(root, {path: other})
    reader = meter(root)
    if reader is not None:
        reader.start()
        time.sleep(0.5)
        reader.look()
        used = reader.stop()
        assert used is None or used["joules"] > 0
