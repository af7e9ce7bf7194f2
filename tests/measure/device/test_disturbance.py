"""A latency that was disturbed is INVALID, and says by what; real processes disturb it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.ir.measurement import Measurement
from edgekit.measure.device import processes
from edgekit.measure.device.installed_bundle import unpacked
from edgekit.measure.meter import Reading
from edgekit.samples import Samples
from edgekit.specs.profile import Probe
from tests.runner import slot

BUSY = [sys.executable, "-c", "while True: pass"]


def _samples(count: int) -> Samples:
    return Samples(slot.inputs(count), np.zeros(count, np.int64))


def _measured(folder: Path, probe: Probe) -> Measurement:
    with unpacked(slot.write_slot(folder)) as endpoint:
        return endpoint.speed(_samples(3), probe)


@contextlib.contextmanager
def _load_after(seconds: float) -> Iterator[None]:
    """As many busy programs as there are cores, from then on.

    Each is a session of its own: Linux shares cores between sessions (sched(7), autogroup), so that those of one may
    all end up on one core and leave the measured program another.
    """
    running: list[subprocess.Popen[bytes]] = []
    over = threading.Event()

    def start() -> None:
        if not over.wait(seconds):
            running.extend(subprocess.Popen(BUSY, start_new_session=True) for _ in range(os.cpu_count() or 1))

    starter = threading.Thread(target=start)
    starter.start()
    try:
        yield
    finally:
        over.set()
        starter.join()
        for process in running:
            process.kill()
            process.wait()


def test_load_that_starts_half_way_makes_a_run_invalid_and_is_named(tmp_path: Path) -> None:
    began = time.perf_counter()
    with _load_after(3.0):
        measured = _measured(tmp_path / "slot", Probe(min_count=100, min_duration_s=5.0, processes=1))
    assert time.perf_counter() - began > 4.0
    assert not measured.validity.valid
    reason = measured.validity.reason or ""
    assert "the machine was busy" in reason or "waited for a core" in reason
    spans = measured.processes[0].watched
    late = [span.others_cores for span in spans[-3:] if span.others_cores is not None]
    assert min(late) > 0.5


class FiveWatts:
    """A meter outside that reads the same all the time."""

    def start(self) -> None:
        self._started = time.perf_counter()

    def stop(self) -> Reading:
        seconds = time.perf_counter() - self._started
        return Reading(5.0 * seconds, seconds, "a meter", 0.01)


def test_a_meter_outside_leaves_loading_out_by_two_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "load_meter", lambda name: FiveWatts())
    monkeypatch.setattr(processes, "METERED_S", 1.0)
    measured = _measured(tmp_path / "slot", Probe(min_count=1, min_duration_s=0.5, processes=1, meter="five"))
    energy = measured.energy
    assert energy is not None
    assert energy.watts == pytest.approx(5.0)
    each_s = energy.joules / 5.0
    # An inference of microseconds, and what its loop takes: not the seconds that Python takes to start.
    assert 1e-6 < each_s < 2e-3
    assert energy.uncertainty > 0.01
    assert "two runs" in energy.method
