"""Emulated devices: image from nothing, waking up, and a run of digits on a warm one."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time

from scripts.benchmark.processes import ROOT, cost

TARGET = "raspberry-pi-5"


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench emulation", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        places = {f"EDGEKIT_{name}": f"{scratch}/{name}" for name in ("CACHE", "CONFIG", "DATA", "DOWNLOADS")}
        environment = {**places, "PYTHONPATH": str(ROOT)}
        os.environ.update(places)
        first = cost(_edgekit("device", "up", TARGET), environment)
        cost(_edgekit("device", "down", TARGET), environment)
        print(f"image and first device, from nothing: {first.seconds:.1f} s")
        print(f"a warm device, to its first command: {statistics.median(_wake_ups(args.repeats)):.2f} s")
        run = _edgekit("run", "--example", "digits", "--target", TARGET, "--device", "emulated", "--out", scratch)
        cold, warm = (cost(run, environment).seconds for _ in range(2))
        print(f"digits on a warm device: {warm:.1f} s; {cold:.1f} s with its build and its runtime pack from nothing")


def _edgekit(*argv: str) -> list[str]:
    return [sys.executable, "-m", "edgekit.cli", *argv]


def _wake_ups(count: int) -> list[float]:
    from edgekit.devices.emulation import faults
    from edgekit.specs.catalog import Catalog

    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        with faults.fresh(Catalog.default().target(TARGET)) as device, device.connected() as transport:
            transport.run(["true"], timeout=60)
            seconds.append(time.perf_counter() - started)
    return seconds
