from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.runner.machine import android
from edgekit.runner.machine.conditions import conditions
from tests.networks import substitute
from tests.runner.board_files import install, plant

# A Samsung A52 5G with Android 12: https://android.stackexchange.com/questions/246774, shortened, and hotter
# in the cache to tell the lists apart.
SAMSUNG = """IsStatusOverride: false
ThermalEventListeners:
\tcallbacks: 1
\tkilled: false
\tbroadcasts count: -1
ThermalStatusListeners:
\tcallbacks: 4
\tkilled: false
\tbroadcasts count: -1
Thermal Status: 0
Cached temperatures:
\tTemperature{mValue=0.0, mType=2, mName=SUBBAT, mStatus=0}
\tTemperature{mValue=0.0, mType=2, mName=SUBBATRAW, mStatus=0}
\tTemperature{mValue=99.6, mType=0, mName=AP, mStatus=0}
\tTemperature{mValue=25.7, mType=5, mName=PA, mStatus=0}
HAL Ready: true
HAL connection:
\tThermalHAL 2.0 connected: yes
Current temperatures from HAL:
\tTemperature{mValue=25.6, mType=0, mName=AP, mStatus=0}
\tTemperature{mValue=23.8, mType=2, mName=BAT, mStatus=0}
\tTemperature{mValue=24.7, mType=3, mName=LRB, mStatus=0}
\tTemperature{mValue=25.7, mType=5, mName=PA, mStatus=0}
\tTemperature{mValue=0.0, mType=2, mName=SUBBAT, mStatus=0}
\tTemperature{mValue=0.0, mType=4, mName=USB, mStatus=0}
Current cooling devices from HAL:
\tCoolingDevice{mValue=0, mType=2, mName=tpu_cooling}
Temperature static thresholds from HAL:
"""
# A Pixel, shortened: https://github.com/google/skia-buildbot, machine/go/machine/processor/impl_test.go
PIXEL = """Current temperatures from HAL:
\tTemperature{mValue=8900.0, mType=7, mName=soft_ocp_gpu, mStatus=0}
\tTemperature{mValue=25.000002, mType=9, mName=TPU, mStatus=0}
\tTemperature{mValue=1300.0, mType=6, mName=smpl_gm, mStatus=0}
\tTemperature{mValue=0.0, mType=8, mName=soc, mStatus=0}
\tTemperature{mValue=26.000002, mType=0, mName=BIG, mStatus=0}
\tTemperature{mValue=-0.117000006, mType=-1, mName=USB2-MINUS-USB, mStatus=0}
\tTemperature{mValue=24.83324, mType=3, mName=VIRTUAL-SKIN, mStatus=0}
\tTemperature{mValue=1.0, mType=6, mName=battery_cycle, mStatus=0}
\tTemperature{mValue=22.1, mType=2, mName=battery, mStatus=0}
Current cooling devices from HAL:
\tCoolingDevice{mValue=0, mType=2, mName=thermal-cpufreq-0}
"""
# https://gh0st.tistory.com/6, Samsung, Android 8; the second of a console: http://ppmy.cn/news/1423084.html
PHONE = """Current Battery Service state:
  mBootCompleted: true
  AC powered: false
  USB powered: true
  Wireless powered: false
  Max charging current: 0
  Max charging voltage: 0
  Charge counter: 0
  status: 2
  health: 2
  present: true
  level: 84
  scale: 100
  voltage: 4063
  temperature: 326
  technology: Li-ion
  batteryMiscEvent: 0
  current now: 321
  charge counter: 0
"""
CONSOLE = """Current Battery Service state:
  AC powered: false
  USB powered: false
  Wireless powered: false
  Max charging current: 0
  Max charging voltage: 0
  Charge counter: 1000
  status: 4
  health: 2
  present: true
  level: 90
  scale: 100
  voltage: 13
  temperature: 26
  technology: Li-ion
"""
# https://blog.csdn.net/yush34/article/details/104040075, Android 10
DOZING = """POWER MANAGER (dumpsys power)

Power Manager State:
  Settings power_manager_constants:
    no_cached_wake_locks=true
  mDirty=0x0
  mWakefulness=Dozing
  mWakefulnessChanging=false
  mIsPowered=true
  mPlugType=2
  mBatteryLevel=71
"""
DENIED = "Permission Denial: can't dump PowerManager from from pid=3312, uid=10166\n"


def test_the_sensors_of_now_go_before_the_cached_ones() -> None:
    assert android.temperatures(SAMSUNG) == {"AP": 25.6, "BAT": 23.8, "LRB": 24.7, "PA": 25.7}


def test_a_service_without_a_driver_has_what_it_last_heard() -> None:
    said = SAMSUNG.partition("HAL Ready")[0] + "HAL Ready: false\n"
    assert android.temperatures(said) == {"AP": 99.6, "PA": 25.7}


def test_volts_and_percents_of_a_battery_are_no_degrees() -> None:
    assert android.temperatures(PIXEL) == {
        "TPU": 25.000002,
        "BIG": 26.000002,
        "VIRTUAL-SKIN": 24.83324,
        "battery": 22.1,
    }


def test_a_sensor_that_is_no_number_hides_no_other() -> None:
    said = substitute("mValue=8900.0", "mValue=NaN", PIXEL)
    assert android.temperatures(said) == android.temperatures(PIXEL)


@pytest.mark.parametrize(
    ("status", "reasons"),
    [("0", []), ("1", ["thermal status light"]), ("3", ["thermal status severe"]), ("9", None), ("", None)],
)
def test_the_thermal_status_is_a_reason(status: str, reasons: list[str] | None) -> None:
    assert android.throttled(substitute("Thermal Status: 0", f"Thermal Status: {status}", SAMSUNG)) == reasons


def test_a_battery_says_its_level_and_whether_it_is_charged() -> None:
    assert android.battery(PHONE) == {"battery_percent": 84.0, "charging": True}
    assert android.battery(CONSOLE) == {"battery_percent": 90.0, "charging": False}
    assert android.battery(substitute("status: 2", "status: 1", PHONE)) == {"battery_percent": 84.0, "charging": None}
    assert android.battery(DENIED) == {"battery_percent": None, "charging": None}


def test_a_battery_that_somebody_pretends_says_nothing() -> None:
    stopped = "Current Battery Service state:\n  (UPDATES STOPPED -- use 'reset' to restart)\n"
    assert android.battery(substitute("Current Battery Service state:\n", stopped, PHONE)) == {}


@pytest.mark.parametrize(
    ("said", "on"),
    [
        ("  mWakefulness=Awake\n\nDisplay Power: state=ON\n", True),
        ("  mWakefulness=Awake\n\nDisplay Power: state=OFF\n", False),
        (DOZING, False),
        (substitute("Dozing", "Asleep", DOZING), False),
        (substitute("Dozing", "Awake", DOZING), True),
        (DENIED, None),
        ("", None),
    ],
)
def test_the_screen_is_on_or_off_or_not_known(said: str, on: bool | None) -> None:
    assert android.screen_on(said) is on


def test_a_phone_says_it_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, said in {"thermalservice": SAMSUNG, "battery": PHONE, "power": DOZING}.items():
        (tmp_path / name).write_text(said)
    install(tmp_path / "bin", {"dumpsys": f'cat {tmp_path}/"$1"'}, monkeypatch)
    record = conditions(plant(tmp_path, {"system/build.prop": "ro.build.version.release=12\n"}))
    assert (record["battery_percent"], record["charging"], record["screen_on"]) == (84.0, True, False)
    assert (record["throttled"], record["throttle_events"]) == ([], None)
    assert record["temperature_c"] == {"AP": 25.6, "BAT": 23.8, "LRB": 24.7, "PA": 25.7}


@given(st.text() | st.text(alphabet="Temperature{mValue=0.1,-} \n\tmTypeStaus:").map(SAMSUNG[:300].__add__))
def test_no_text_raises(said: str) -> None:
    for text in (said, SAMSUNG + said, said + SAMSUNG):
        assert all(-40 <= degrees <= 150 for degrees in android.temperatures(text).values())
        android.throttled(text)
        android.screen_on(text)
        android.battery(text)
