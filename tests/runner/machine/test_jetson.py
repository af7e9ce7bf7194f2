from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.runner.machine import jetson
from edgekit.runner.machine.conditions import conditions
from tests.runner.board_files import install, plant, saying

BOARD = {"proc/device-tree/compatible": b"nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0"}
# https://apis.io/agent-skills/nvidia-nim/jetson-customize-nvpmodel/ has the grammar, of NVIDIA's own file header.
MODES = """
# POWER_MODEL_ID: mode identifier
< PARAM TYPE=FILE NAME=CPU_ONLINE >
CORE_0 /sys/devices/system/cpu/cpu0/online
< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=1 NAME=25W >
< POWER_MODEL ID=2 NAME=MAXN_SUPER >
< PM_CONFIG DEFAULT=1 >
"""
# https://github.com/GDWR/jetson_exporter/issues/14
AGX_ORIN = (
    "04-11-2025 10:36:27 RAM 4321/62801MB (lfb 1759x4MB) SWAP 19/31400MB (cached 0MB) CPU [0%@729,0%@729,0%@729,"
    "0%@729,0%@729,0%@729,0%@729,0%@729,0%@729,0%@729,0%@729,0%@729] EMC_FREQ 0%@2133 GR3D_FREQ 0%@[0,0] VIC_FREQ 729 "
    "APE 174 CV0@-256C CPU@44.562C Tboard@32C SOC2@40.093C Tdiode@33C SOC0@41.093C CV1@-256C GPU@-256C tj@44.343C "
    "SOC1@41.25C CV2@-256C VDD_GPU_SOC 2340mW/2340mW VDD_CPU_CV 390mW/390mW VIN_SYS_5V0 4025mW/4025mW NC 0mW/0mW "
    "VDDQ_VDD2_1V8AO 301mW/301mW NC 0mW/0mW"
)
# https://github.com/FindHao/tx-utils/issues/3
TX2 = (
    "RAM 2020/7852MB (lfb 1164x4MB) CPU [9%@345,21%@345,25%@345,3%@345,1%@345,1%@345] EMC_FREQ 0% GR3D_FREQ 0% "
    "PLL@42.5C MCPU@42.5C PMIC@100C Tboard@40C GPU@41C BCPU@42.5C thermal@41.9C Tdiode@41.25C VDD_SYS_GPU 153/158 "
    "VDD_SYS_SOC 536/547 VDD_4V0_WIFI 633/527 VDD_IN 3140/3208 VDD_SYS_CPU 536/590 VDD_SYS_DDR 557/601"
)


def test_a_line_of_tegrastats_has_the_heat_of_sensors_that_are_on() -> None:
    assert jetson.temperatures(AGX_ORIN) == {
        "CPU": 44.562,
        "Tboard": 32.0,
        "SOC2": 40.093,
        "Tdiode": 33.0,
        "SOC0": 41.093,
        "tj": 44.343,
        "SOC1": 41.25,
    }
    older = jetson.temperatures(TX2)
    assert older == {
        "PLL": 42.5,
        "MCPU": 42.5,
        "Tboard": 40.0,
        "GPU": 41.0,
        "BCPU": 42.5,
        "thermal": 41.9,
        "Tdiode": 41.25,
    }


@pytest.mark.parametrize(
    ("status", "mode"),
    # The second as JetPack 4 writes it, which names a fan's mode, too.
    [("pmode:0002\n", "MAXN_SUPER"), ("pmode:0000 fmode:quiet\n", "15W"), ("pmode:0007\n", None), ("", None)],
)
def test_the_power_mode_has_the_name_that_its_configuration_gives(status: str, mode: str | None) -> None:
    assert jetson.named_mode(status, MODES) == mode


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        # https://github.com/open-rdc/orne-box/issues/16, JetPack 4
        ("NV Fan Mode:quiet\nNV Power Mode: MAXN\n0\n", "MAXN"),
        # https://github.com/anduril/jetpack-nixos/pull/460, JetPack 7
        ("NV Power Mode: MAXN\n0\n", "MAXN"),
        # https://github.com/NVIDIA-AI-IOT/jetbot/issues/49
        ("NV Power Mode: 5W\n1\nNVPM ERROR: Error opening /sys/kernel/nvpmodel_emc_cap/emc_iso_cap: 13\n", "5W"),
        ("NVPM ERROR: failed to set power mode!\n", None),
    ],
)
def test_nvpmodel_names_the_mode(said: str, mode: str | None) -> None:
    assert jetson.queried_mode(said) == mode


def test_an_orin_says_its_mode_and_how_often_its_supply_was_too_weak(tmp_path: Path) -> None:
    chip = "sys/class/hwmon/hwmon3"
    counts = {f"{chip}/oc1_event_cnt": "0\n", f"{chip}/oc2_event_cnt": "15\n", f"{chip}/oc3_event_cnt": "37\n"}
    zone = {"sys/class/thermal/thermal_zone0/type": "cpu-thermal", "sys/class/thermal/thermal_zone0/temp": "47687"}
    alert = {"sys/class/thermal/cooling_device8/type": "cpu-throttle-alert"}
    state = {"sys/class/thermal/cooling_device8/cur_state": "1"}
    plant(tmp_path, {**BOARD, **counts, **zone, **alert, **state, f"{chip}/name": "soctherm_oc\n"})
    said = conditions(plant(tmp_path, {jetson.STATUS: "pmode:0001\n", jetson.MODES: MODES}))
    assert (said["power_mode"], said["throttle_events"]) == ("25W", 52)
    assert (said["throttled"], said["temperature_c"]) == (["cpu-throttle-alert"], {"cpu-thermal": 47.687})


def test_programs_say_what_files_lack_and_tegrastats_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = f"echo $$ >{tmp_path}/alive; while echo '{TX2}'; do sleep 0.1; done"
    programs = {"nvpmodel": saying("NV Power Mode: MAXN\n0"), "tegrastats": endless}
    install(tmp_path / "bin", programs, monkeypatch)
    said = conditions(plant(tmp_path, BOARD))
    assert said["power_mode"] == "MAXN"
    assert max(said["temperature_c"].values()) == 42.5
    assert not Path(f"/proc/{int((tmp_path / 'alive').read_text())}").exists()


@given(st.text(), st.text() | st.just(MODES))
def test_no_text_raises(said: str, modes: str) -> None:
    assert jetson.named_mode("pmode:" + said, modes) in (None, "15W", "25W", "MAXN_SUPER")
    assert jetson.named_mode(said, modes) in (None, "15W", "25W", "MAXN_SUPER")
    jetson.queried_mode(said)
    assert all(-40 <= degrees <= 150 for degrees in jetson.temperatures(said).values())
