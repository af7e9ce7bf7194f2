from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from edgekit.runner.machine import sysfs, system

RASPBERRY_PI_5 = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\nprocessor\t: 1\nCPU part\t: 0xd0b\n"
BIG_LITTLE = "CPU part\t: 0xd05\nCPU part\t: 0xd05\nCPU part\t: 0xd4d\n"
PC = "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\nprocessor\t: 1\nmodel name\t: Some CPU @ 2.00GHz\n"


def test_info_describes_this_machine() -> None:
    info = system.info()
    assert info["machine"] == platform.machine()
    assert info["python"] == platform.python_version()
    assert info["cores"] >= 1


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [(RASPBERRY_PI_5, "cortex-a76"), (BIG_LITTLE, "cortex-a55 + arm 0xd4d"), (PC, "Some CPU @ 2.00GHz"), ("", None)],
)
def test_the_cpu_is_named_as_far_as_the_system_says(cpuinfo: str, name: str | None) -> None:
    assert system._cpu(cpuinfo) == name


def test_a_field_that_is_missing_is_unknown_not_zero() -> None:
    assert sysfs.field_bytes("VmHWM", "VmRSS:\t 12 kB\n") is None
    assert sysfs.field_bytes("VmHWM", "VmHWM:\t 12 kB\n") == 12288


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a peak of its own for a new program")
def test_the_peak_is_not_that_of_the_program_before_exec() -> None:
    report = (
        "import resource; from edgekit.runner.machine import system\n"
        "print(system.peak_rss_bytes(), resource.getrusage(0).ru_maxrss)"
    )
    large = f"import os, sys; x = b'x' * (200 << 20); os.execv(sys.executable, [sys.executable, '-c', {report!r}])"
    done = subprocess.run([sys.executable, "-c", large], capture_output=True, text=True, check=True, timeout=60)
    ours, inherited = map(int, done.stdout.split())
    assert inherited > 200 << 10
    assert 0 < ours < 100 << 20
