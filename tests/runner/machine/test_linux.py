from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.runner.machine import linux
from tests.runner.board_files import plant

# As an idle Raspberry Pi 4 has them: https://docs.kernel.org/admin-guide/pm/cpufreq.html,
# https://docs.kernel.org/driver-api/thermal/sysfs-api.html and proc(5) say what is in the files.
RASPBERRY_PI_4 = {
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "600000\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": "1800000\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "ondemand\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "42842\n",
    "proc/loadavg": "0.20 0.18 0.12 1/80 11206\n",
    "proc/meminfo": "MemTotal:        3884368 kB\nMemFree:          154320 kB\nMemAvailable:    3441840 kB\n",
}


def test_a_board_says_clocks_heat_load_and_memory(tmp_path: Path) -> None:
    assert linux.conditions(plant(tmp_path, RASPBERRY_PI_4)) == {
        "clock_mhz": {"policy0": 600.0},
        "limit_mhz": {"policy0": 1800.0},
        "governor": {"policy0": "ondemand"},
        "temperature_c": {"cpu-thermal": 42.842},
        "throttled": None,
        "throttle_events": None,
        "load_1m": 0.2,
        "available_bytes": 3441840 * 1024,
        "battery_percent": None,
        "charging": None,
    }


def test_what_a_machine_does_not_say_is_unknown(tmp_path: Path) -> None:
    record = linux.conditions(tmp_path)
    assert set(map(repr, record.values())) <= {"None", "{}"}


@pytest.mark.parametrize(
    "nonsense", ["0", "-256000", "-41000", "2147483647", "127000000", "42", "", "\n", "N/A", "4 2"]
)
def test_a_sensor_that_is_absent_is_not_cold(tmp_path: Path, nonsense: str) -> None:
    zone = "sys/class/thermal/thermal_zone0"
    plant(tmp_path, {f"{zone}/type": "gpu", f"{zone}/temp": nonsense})
    assert linux.temperatures(tmp_path) == {}


def test_a_sensor_below_zero_is_cold(tmp_path: Path) -> None:
    zone = "sys/class/thermal/thermal_zone0"
    plant(tmp_path, {f"{zone}/type": "board", f"{zone}/temp": "-12500\n"})
    assert linux.temperatures(tmp_path) == {"board": -12.5}


def test_a_sensor_that_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "sys/class/thermal/thermal_zone0/temp").mkdir(parents=True)
    assert linux.temperatures(tmp_path) == {}


def test_a_constant_in_place_of_a_sensor_is_left_out(tmp_path: Path) -> None:
    zones = "sys/class/thermal/thermal_zone"
    plant(tmp_path, {f"{zones}0/type": "PMIC-Die\n", f"{zones}0/temp": "100000\n"})
    plant(tmp_path, {f"{zones}1/type": "CPU-therm\n", f"{zones}1/temp": "31500\n"})
    assert linux.temperatures(tmp_path) == {"CPU-therm": 31.5}


def test_sensors_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for i, temp in enumerate((27800, 29800, 31000)):
        zone = f"sys/class/thermal/thermal_zone{i}"
        plant(tmp_path, {f"{zone}/type": "acpitz\n", f"{zone}/temp": f"{temp}\n"})
    expected = {"acpitz": 27.8, "acpitz thermal_zone1": 29.8, "acpitz thermal_zone2": 31.0}
    assert linux.temperatures(tmp_path) == expected


def test_an_amd_processor_is_read_where_no_zone_has_it(tmp_path: Path) -> None:
    chip = "sys/class/hwmon/hwmon2"
    plant(tmp_path, {f"{chip}/name": "k10temp\n", f"{chip}/temp1_label": "Tctl\n", f"{chip}/temp1_input": "48250\n"})
    plant(tmp_path, {"sys/class/hwmon/hwmon0/name": "nvme\n", "sys/class/hwmon/hwmon0/temp1_input": "71850\n"})
    assert linux.temperatures(tmp_path) == {"Tctl": 48.25}


def test_cooling_by_slowing_down_is_throttling_and_a_fan_is_not(tmp_path: Path) -> None:
    cooling = "sys/class/thermal/cooling_device"
    plant(tmp_path, {f"{cooling}0/type": "pwm-fan\n", f"{cooling}0/cur_state": "3\n"})
    assert linux.conditions(tmp_path)["throttled"] is None
    # Types of a Jetson Orin and of a Linux 6.1 with device tree.
    plant(tmp_path, {f"{cooling}1/type": "cpu-throttle-alert\n", f"{cooling}1/cur_state": "0\n"})
    plant(tmp_path, {f"{cooling}2/type": "cpufreq-cpu0\n", f"{cooling}2/cur_state": "0\n"})
    assert linux.conditions(tmp_path)["throttled"] == []
    plant(tmp_path, {f"{cooling}2/cur_state": "4\n"})
    assert linux.conditions(tmp_path)["throttled"] == ["cpufreq-cpu0"]
    plant(tmp_path, {f"{cooling}1/cur_state": "1\n"})
    assert linux.conditions(tmp_path)["throttled"] == ["cpu-throttle-alert", "cpufreq-cpu0"]


def test_throttle_events_of_an_x86_processor_add_up(tmp_path: Path) -> None:
    for cpu, core in (("cpu0", 3), ("cpu1", 0)):
        folder = f"sys/devices/system/cpu/{cpu}/thermal_throttle"
        plant(tmp_path, {f"{folder}/core_throttle_count": f"{core}\n", f"{folder}/package_throttle_count": "2\n"})
    assert linux.conditions(tmp_path)["throttle_events"] == 7


@pytest.mark.parametrize(
    ("status", "charging"),
    [("Charging", True), ("Discharging", False), ("Full", False), ("Not charging", False), ("Unknown", None)],
)
def test_a_battery_says_whether_it_is_charged(tmp_path: Path, status: str, charging: bool | None) -> None:
    battery = "sys/class/power_supply/BAT0"
    plant(tmp_path, {f"{battery}/type": "Battery\n", f"{battery}/status": f"{status}\n", f"{battery}/capacity": "87\n"})
    plant(tmp_path, {"sys/class/power_supply/AC/type": "Mains\n", "sys/class/power_supply/AC/online": "1\n"})
    record = linux.conditions(tmp_path)
    assert (record["battery_percent"], record["charging"]) == (87.0, charging)


def test_the_battery_of_a_mouse_is_not_the_machines(tmp_path: Path) -> None:
    battery = "sys/class/power_supply/hidpp_battery_0"
    plant(tmp_path, {f"{battery}/type": "Battery", f"{battery}/scope": "Device", f"{battery}/capacity": "50"})
    assert linux.conditions(tmp_path)["battery_percent"] is None


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=64), st.binary(max_size=64))
def test_no_content_of_any_file_raises(tmp_path_factory: pytest.TempPathFactory, one: bytes, other: bytes) -> None:
    root = tmp_path_factory.mktemp("fuzzed")
    plant(root, {name: one if i % 2 else other for i, name in enumerate(RASPBERRY_PI_4)})
    battery = {f"sys/class/power_supply/BAT0/{name}": one for name in ("status", "capacity", "scope")}
    cooling = {f"sys/class/thermal/cooling_device0/{name}": one for name in ("type", "cur_state")}
    plant(root, {**battery, **cooling, "sys/class/power_supply/BAT0/type": "Battery"})
    record = linux.conditions(root)
    assert record["battery_percent"] is None or 0 <= record["battery_percent"] <= 100
    assert all(-40 <= degrees <= 150 for degrees in record["temperature_c"].values())


@given(st.text())
def test_no_text_raises(record: str) -> None:
    assert linux.load_1m(record) is None or record[0].isdigit()
    assert linux.available_bytes(record) is None or "MemAvailable" in record
