"""What this machine draws, where it has a counter that may be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgekit.runner.machine.energy import idle_watts

REAL = Path("/sys/class/powercap/intel-rapl:0/energy_uj")


@pytest.mark.skipif(not os.access(REAL, os.R_OK), reason="this machine has no RAPL that may be read")
def test_this_machine_draws_power() -> None:
    assert (idle_watts(0.5) or 0) > 0
