from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.runner.machine import raspberry_pi
from edgekit.runner.machine.conditions import conditions
from tests.runner.board_files import install, plant, saying

MODEL = {"proc/device-tree/model": b"Raspberry Pi 4 Model B Rev 1.4\0"}
ZONE = {"sys/class/thermal/thermal_zone0/type": "cpu-thermal", "sys/class/thermal/thermal_zone0/temp": "62322"}


@pytest.mark.parametrize(
    ("said", "now", "events"),
    [
        # https://github.com/duckietown/Software/issues/358
        ("throttled=0x0", [], 0),
        # https://forum.libreelec.tv/thread/17860-how-to-interpret-rpi-vcgencmd-get-throttled
        ("throttled=0x50000", [], 2),
        ("throttled=0x50005", ["under-voltage", "throttled"], 2),
        # https://github.com/raspiblitz/raspiblitz/issues/4008
        ("throttled=0x80000", [], 1),
        ("throttled=0xe0006", ["frequency capped", "throttled"], 3),
        ("throttled=0xe0008", ["soft temperature limit"], 3),
    ],
)
def test_the_firmware_says_what_holds_it_back_now_and_did_since_it_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, now: list[str], events: int
) -> None:
    install(tmp_path / "bin", {"vcgencmd": saying(said)}, monkeypatch)
    record = conditions(plant(tmp_path, {**MODEL, **ZONE}))
    assert (record["throttled"], record["throttle_events"]) == (now, events)
    assert record["temperature_c"] == {"cpu-thermal": 62.322}


def test_where_the_program_may_not_ask_the_kernels_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of a user outside of the group `video`: https://github.com/MichaIng/DietPi/issues/5970
    install(tmp_path / "bin", {"vcgencmd": "echo 'VCHI initialization failed' && exit 255"}, monkeypatch)
    # https://github.com/custom-components/sensor.rpi_power/issues/6
    record = conditions(plant(tmp_path, {**MODEL, raspberry_pi.SYSFS: "80008\n"}))
    assert (record["throttled"], record["throttle_events"]) == (["soft temperature limit"], 1)


def test_the_kernels_alarm_tells_of_under_voltage_and_of_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    chip = "sys/class/hwmon/hwmon1"
    plant(tmp_path, {**MODEL, f"{chip}/name": "rpi_volt\n", f"{chip}/in0_lcrit_alarm": "0\n"})
    assert conditions(tmp_path)["throttled"] is None
    plant(tmp_path, {f"{chip}/in0_lcrit_alarm": "1\n"})
    assert conditions(tmp_path)["throttled"] == ["under-voltage"]
    assert conditions(tmp_path)["throttle_events"] is None


def test_what_the_kernel_and_the_firmware_say_adds_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "bin", {"vcgencmd": saying("throttled=0x50005")}, monkeypatch)
    cooling = "sys/class/thermal/cooling_device0"
    plant(tmp_path, {**MODEL, f"{cooling}/type": "cpufreq-cpu0\n", f"{cooling}/cur_state": "1\n"})
    assert conditions(tmp_path)["throttled"] == ["cpufreq-cpu0", "under-voltage", "throttled"]


def test_the_firmware_is_asked_for_heat_where_linux_has_no_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = 'case "$1" in measure_temp) echo "temp=62.3\'C";; *) echo "throttled=0x0";; esac'
    install(tmp_path / "bin", {"vcgencmd": script}, monkeypatch)
    assert conditions(plant(tmp_path, MODEL))["temperature_c"] == {"vcgencmd": 62.3}


def test_another_board_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "bin", {"vcgencmd": saying("throttled=0x50005")}, monkeypatch)
    assert os.access(tmp_path / "bin/vcgencmd", os.X_OK)
    assert conditions(tmp_path)["throttled"] is None


@pytest.mark.parametrize("said", ["", "VCHI initialization failed", 'error=1 error_msg="Command not registered"', "0x"])
def test_a_complaint_is_no_answer(said: str) -> None:
    assert raspberry_pi.flags(said) is None
    assert raspberry_pi.temperature_c(said) is None


@given(st.text() | st.from_regex(r"(throttled=0x|temp=)[0-9a-f.'C]{0,12}"))
def test_no_text_raises(said: str) -> None:
    flags, degrees = raspberry_pi.flags(said), raspberry_pi.temperature_c(said)
    assert flags is None or 0 <= flags < 1 << 32
    assert degrees is None or -40 <= degrees <= 150
