"""Throughput of a device: samples per second by number of instances and of threads."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from edgekit.devices.flash import Installation
from edgekit.devices.measurement_protocol import Sustained
from edgekit.ir.measurement import Validity
from edgekit.ir.validity import SLACK
from edgekit.measure.device.processes import cycled
from edgekit.measure.device.session import ProbeSession, probe_session
from edgekit.measure.device.wall_clock import check_real_time
from edgekit.measure.shards import silent
from edgekit.samples import Samples

MIN_DURATION_S = 10.0
"""Default time for which each combination is sustained."""
WARM_UP_COUNT = 16


@dataclass(frozen=True)
class Throughput:
    """One combination, sustained for a while: every instance a process, all of them at work from start to end."""

    samples_per_s: float
    batch: int
    """Samples that the model takes at once, by its signature."""
    threads: int
    """Threads of each instance."""
    instances: int
    inferences: int
    duration_s: float
    """Time from the first start to the last end."""
    cores: float
    """Cores that all instances kept busy, on average."""
    peak_rss_bytes: int | None
    """Sum of the peak resident memory of all instances; shared pages count for each."""
    validity: Validity


@dataclass(frozen=True)
class Sweep:
    """Several combinations, one after another."""

    runs: tuple[Throughput, ...]

    @property
    def best(self) -> Throughput | None:
        """Valid run with the most samples per second; among equals the one with the least memory.

        Unknown memory counts as the most. None if no run is valid.
        """
        valid = [run for run in self.runs if run.validity.valid]
        return max(valid, key=lambda run: (run.samples_per_s, -(run.peak_rss_bytes or math.inf)), default=None)


def throughput(
    installation: Installation,
    samples: Samples,
    threads: int = 1,
    instances: int = 1,
    min_duration_s: float = MIN_DURATION_S,
) -> Throughput:
    """Measure the samples per second of `instances` processes of `threads` threads, over the first samples, cycled.

    Raises ProbeError if the run fails or the device is emulated, DeviceBusy, Unreachable, StorageError.
    """
    check_real_time(installation.transport)
    with probe_session(installation) as session:
        session.send(cycled(samples), "cycled")
        return _throughput_of(_ask(session, threads, instances, min_duration_s))


def sweep(
    installation: Installation,
    samples: Samples,
    min_duration_s: float = MIN_DURATION_S,
    tell: Callable[[str], None] = silent,
) -> Sweep:
    """Measure every combination of `combinations` for the cores of the device; `tell` is called with a line for each.

    Raises as `throughput` does.
    """
    check_real_time(installation.transport)
    runs: list[Throughput] = []
    with probe_session(installation) as session:
        session.send(cycled(samples), "cycled")
        pending = [(1, 1)]
        while pending:
            answer = _ask(session, *pending[0], min_duration_s)
            # Only now is it known how many cores there are.
            pending = pending[1:] if runs else combinations(answer.info.cores)[1:]
            runs.append(_throughput_of(answer))
            tell(f"{answer.instances} x {answer.threads} threads: {answer.samples_per_s:,.0f} samples a second")
    return Sweep(tuple(runs))


def combinations(cores: int) -> list[tuple[int, int]]:
    """List pairs of threads and instances that keep at most `cores` busy: powers of two and all cores, from (1, 1)."""
    sizes = sorted({*(1 << bit for bit in range(cores.bit_length())), cores})
    return [(threads, instances) for threads in sizes for instances in sizes if threads * instances <= cores]


def _ask(session: ProbeSession, threads: int, instances: int, min_duration_s: float) -> Sustained:
    argv = ("--threads", threads, "--instances", instances, "--min-duration", min_duration_s)
    limit_s = session.limit(WARM_UP_COUNT) + 2 * min_duration_s
    return session.ask(Sustained, "throughput", "cycled", *argv, timeout=limit_s)


def _throughput_of(answer: Sustained) -> Throughput:
    return Throughput(
        samples_per_s=answer.samples_per_s,
        batch=answer.batch,
        threads=answer.threads,
        instances=answer.instances,
        inferences=answer.count,
        duration_s=answer.duration_s,
        cores=answer.cores,
        peak_rss_bytes=answer.peak_rss_bytes,
        validity=_validity(answer),
    )


def _validity(answer: Sustained) -> Validity:
    """Valid if what others kept busy left a core for every thread: the rule that latency has."""
    cores = answer.info.cores
    used = min(answer.threads * answer.instances, cores)
    if answer.others_cores is not None and answer.others_cores + used > cores + SLACK:
        return Validity(False, f"the machine was busy: others took {answer.others_cores:.1f} of its {cores} cores")
    return Validity(True)
