"""Percentiles by MLPerf's LoadGen itself against edgekit's, on latencies that LoadGen recorded."""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import mlperf_loadgen
import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.statistics.percentiles import percentile_ns

COUNTS = {
    90.0: (1, 10, 63, 64, 65, 80, 81, 82, 96, 97, 128, 130, 200, 333, 662, 1024),
    95.0: (64, 129, 130, 131, 164, 165, 166, 197, 198, 300, 662, 1024, 2000),
    99.0: (128, 661, 662, 663, 837, 838, 839, 1000, 1001, 1024, 2048, 3000),
    99.9: (662, 1024, 6635, 6636, 6637, 8402, 8403, 8404),
}
"""Around what each percentile needs, around where one more latency may be discarded, and beyond."""
SHARES = {90.0: 25, 95.0: 25, 99.0: 25, 99.9: 15}
"""Vectors for each count, by percentile: more than a thousand in all."""


@dataclass(frozen=True)
class Recorded:
    """One SingleStream test: the latencies in the order that LoadGen timed them, and its own estimates of them."""

    percent: float
    latency_ns: Array
    estimate_ns: int | None
    """Estimate for `percent`; None where LoadGen says that more queries are needed."""
    p99_ns: int | None
    """Estimate for the 99th percentile, which LoadGen adds wherever it estimates `percent`."""

    @property
    def differences(self) -> tuple[tuple[float, int | None, int | None], ...]:
        """Percentile, LoadGen's estimate and edgekit's, where they are not the same."""
        theirs = [(self.percent, self.estimate_ns)]
        if self.estimate_ns is not None:
            theirs.append((99.0, self.p99_ns))
        both = [(percent, estimate, percentile_ns(self.latency_ns, percent)) for percent, estimate in theirs]
        return tuple(row for row in both if row[1] != row[2])


def record(count: int, percent: float, wait_ns: Callable[[int], int], folder: Path) -> Recorded:
    """Run one test of `count` queries; the system under test takes `wait_ns(i)` nanoseconds or a little more."""
    issued = 0

    def issue(samples: Sequence[mlperf_loadgen.QuerySample]) -> None:
        nonlocal issued
        for sample in samples:
            _busy(wait_ns(issued))
            issued += 1
            mlperf_loadgen.QuerySamplesComplete([mlperf_loadgen.QuerySampleResponse(sample.id, 0, 0)])

    system = mlperf_loadgen.ConstructSUT(issue, lambda: None)
    library = mlperf_loadgen.ConstructQSL(8, 8, lambda loaded: None, lambda unloaded: None)
    try:
        # An empty name: no audit file in the current folder may change the test.
        mlperf_loadgen.StartTestWithLogSettings(system, library, _settings(count, percent), _logs(folder), "")
    finally:
        mlperf_loadgen.DestroyQSL(library)
        mlperf_loadgen.DestroySUT(system)
    return _read(folder, percent)


def cases(seed: int) -> Iterator[tuple[float, int, Callable[[int], int]]]:
    """Percentile, count, and how long each query takes: steady, even, long-tailed, in two humps, drifting."""
    chance = random.Random(seed)
    waits: tuple[Callable[[int], int], ...] = (
        lambda i: 3_000,
        lambda i: chance.randrange(1_000, 15_000),
        lambda i: int(chance.expovariate(1 / 5_000)),
        lambda i: 2_000 if chance.random() < 0.9 else 20_000,
        lambda i: 2_000 + i % 500 * 20,
    )
    for percent, counts in COUNTS.items():
        for count in counts:
            yield from ((percent, count, waits[turn % len(waits)]) for turn in range(SHARES[percent]))


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench loadgen", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    vectors, estimates, unlike = 0, 0, []
    with tempfile.TemporaryDirectory() as scratch:
        for percent, count, wait_ns in cases(args.seed):
            result = record(count, percent, wait_ns, Path(scratch))
            vectors += 1
            estimates += (result.estimate_ns is not None) + (result.p99_ns is not None)
            unlike += [(count, *row) for row in result.differences]
    print(f"{vectors:,} recorded vectors, {estimates:,} estimates by LoadGen, {len(unlike)} of them not edgekit's")
    for count, at, theirs, ours in unlike:
        print(f"  {count:,} latencies, percentile {at:g}: LoadGen {theirs}, edgekit {ours}")
    raise SystemExit(bool(unlike))


def _busy(wait_ns: int) -> None:
    until = time.perf_counter_ns() + wait_ns
    while time.perf_counter_ns() < until:
        pass


def _settings(count: int, percent: float) -> mlperf_loadgen.TestSettings:
    settings = mlperf_loadgen.TestSettings()
    settings.scenario = mlperf_loadgen.TestScenario.SingleStream
    settings.mode = mlperf_loadgen.TestMode.PerformanceOnly
    settings.min_query_count = settings.max_query_count = count
    settings.min_duration_ms = 0
    settings.single_stream_expected_latency_ns = 10_000
    settings.single_stream_target_latency_percentile = percent / 100
    return settings


def _logs(folder: Path) -> mlperf_loadgen.LogSettings:
    output = mlperf_loadgen.LogOutputSettings()
    output.outdir = str(folder)
    logs = mlperf_loadgen.LogSettings()
    logs.enable_trace = True  # the only log that has every latency
    logs.log_output = output
    return logs


def _read(folder: Path, percent: float) -> Recorded:
    """Read the logs in `folder`. Raises ValueError if the latencies are not those that LoadGen summed up."""
    trace = (folder / "mlperf_log_trace.json").read_text()
    latency_ns = np.array([int(ns) for ns in re.findall(r'"complete_ns":(\d+)', trace)], np.int64)
    entries = (folder / "mlperf_log_detail.txt").read_text().splitlines()
    logged = {
        entry["key"]: entry["value"] for entry in (json.loads(line.removeprefix(":::MLLOG ")) for line in entries)
    }
    summed = [logged[f"result_{name}_latency_ns"] for name in ("min", "max", "mean")]
    if [latency_ns.min(), latency_ns.max(), latency_ns.sum() // len(latency_ns)] != summed:
        raise ValueError(f"the trace has other latencies than LoadGen summed up: {summed}")
    matches = re.findall(r"([\d.]+)th percentile estimate: (\d+)", str(logged["early_stopping_result"]))
    estimates = [int(ns) for _, ns in matches]
    return Recorded(percent, latency_ns, estimates[0] if estimates else None, estimates[1] if estimates[1:] else None)
