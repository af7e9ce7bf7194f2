"""How many samples a second a device answers, by how many instances of how many threads."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from edgekit.devices.flash import Installation
from edgekit.devices.measurement_protocol import Sustained
from edgekit.ir.measurement import Validity
from edgekit.ir.validity import SLACK
from edgekit.measure.device.processes import cycled
from edgekit.measure.device.session import ProbeSession, asking
from edgekit.measure.device.wall_clock import check_real_time
from edgekit.measure.shards import silent
from edgekit.samples import Samples

MIN_DURATION_S = 10.0
WARM_UP_COUNT = 16


@dataclass(frozen=True)
class Throughput:
    """One combination, sustained for a while: every instance a process, all of them at work from start to end."""

    samples_per_s: float
    batch: int
    """Samples that the model takes at once, by its signature."""
    threads: int
    """Of each instance."""
    instances: int
    inferences: int
    duration_s: float
    """From the first start to the last end."""
    cores: float
    """Kept busy by all instances, on average."""
    peak_rss_bytes: int | None
    """Of all instances together; what they share counts for each."""
    validity: Validity


@dataclass(frozen=True)
class Sweep:
    """Several combinations, one after another."""

    runs: tuple[Throughput, ...]

    @property
    def best(self) -> Throughput | None:
        """The most samples a second of the valid ones; of equals the least memory's. None if none is valid.

        One whose memory nobody could tell counts as having the most.
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
    """Samples a second of so many instances there, over the first of the samples, cycled in their order.

    Raises ProbeError if the run fails or the device is emulated, DeviceBusy, Unreachable, StorageError.
    """
    check_real_time(installation.transport)
    with asking(installation) as asked:
        asked.send(cycled(samples), "cycled")
        return _of(_ask(asked, threads, instances, min_duration_s))


def sweep(
    installation: Installation,
    samples: Samples,
    min_duration_s: float = MIN_DURATION_S,
    tell: Callable[[str], None] = silent,
) -> Sweep:
    """Every combination of `combinations` for the cores that the device has; `tell` hears of each.

    Raises as `throughput` does.
    """
    check_real_time(installation.transport)
    runs: list[Throughput] = []
    with asking(installation) as asked:
        asked.send(cycled(samples), "cycled")
        left = [(1, 1)]
        while left:
            answer = _ask(asked, *left[0], min_duration_s)
            # Only now is it known how many cores there are.
            left = left[1:] if runs else combinations(answer.info.cores)[1:]
            runs.append(_of(answer))
            tell(f"{answer.instances} x {answer.threads} threads: {answer.samples_per_s:,.0f} samples a second")
    return Sweep(tuple(runs))


def combinations(cores: int) -> list[tuple[int, int]]:
    """Threads and instances that keep no more than the cores busy: powers of two, and all cores, from (1, 1) on."""
    sizes = sorted({*(1 << bit for bit in range(cores.bit_length())), cores})
    return [(threads, instances) for threads in sizes for instances in sizes if threads * instances <= cores]


def _ask(asked: ProbeSession, threads: int, instances: int, min_duration_s: float) -> Sustained:
    argv = ("--threads", threads, "--instances", instances, "--min-duration", min_duration_s)
    limit_s = asked.limit(WARM_UP_COUNT) + 2 * min_duration_s
    return asked.ask(Sustained, "throughput", "cycled", *argv, timeout=limit_s)


def _of(answer: Sustained) -> Throughput:
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
    asked = min(answer.threads * answer.instances, cores)
    if answer.others_cores is not None and answer.others_cores + asked > cores + SLACK:
        return Validity(False, f"the machine was busy: others took {answer.others_cores:.1f} of its {cores} cores")
    return Validity(True)
