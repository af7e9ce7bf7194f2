"""Measure latency on a device by several processes in turn, each started as cool as the first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.devices.measurement_protocol import LatencyAnswer, Timed
from edgekit.ir.measurement import Around, Array, Energy, Process
from edgekit.measure.device.session import ProbeSession
from edgekit.measure.meter import check_reading, load_meter
from edgekit.runner.model.lengths import LENGTHS
from edgekit.runner.model.tensors import CYCLED_BYTES
from edgekit.samples import Samples
from edgekit.specs.profile import Probe

METERED_S = 5.0
"""Seconds of the shorter of the two runs that an external meter reads."""
WARM_UP_S = 30.0
"""Time allowed for warming up and reading the sensors of the device."""


@dataclass(frozen=True)
class LatencyRun:
    """Latencies, conditions and energy of the processes of one latency run."""

    latency_ns: Array
    """int64 [M], in the order they were timed."""
    answers: tuple[LatencyAnswer, ...]
    metered: Energy | None = None
    """Energy that a meter connected to this machine measured; see `edgekit.measure.meter`."""

    @property
    def processes(self) -> tuple[Process, ...]:
        return tuple(timed_process(answer, answer.count) for answer in self.answers)

    @property
    def around(self) -> Around:
        """Medians over the processes of the time before and after an inference."""
        before, after = (
            [getattr(answer.around, name) for answer in self.answers] for name in ("before_ns", "after_ns")
        )
        return Around(int(np.median(before)), int(np.median(after)))

    @property
    def energy(self) -> Energy | None:
        """Energy of one inference over all processes; None unless every process could read it.

        An external meter takes precedence: it also sees what the sensors of the device do not."""
        if self.metered:
            return self.metered
        spent = [answer.energy for answer in self.answers if answer.energy]
        if len(spent) < len(self.answers):
            return None
        joules, seconds = sum(part.joules for part in spent), sum(part.seconds for part in spent)
        idle = [part.idle_watts for part in spent if part.idle_watts is not None]
        return Energy(
            joules=joules / len(self.latency_ns),
            idle_watts=float(np.mean(idle)) if idle else None,
            watts=joules / seconds,
            method=spent[0].method,
            uncertainty=max(part.uncertainty for part in spent),
        )


def time_inferences(session: ProbeSession, samples: Samples, probe: Probe) -> LatencyRun:
    """Time single inferences of the first samples, cycled in the order of the set. Raises ProbeError."""
    session.send(cycled(samples), "cycled")
    count = min(probe.processes, probe.min_count)
    answers: list[LatencyAnswer] = []
    parts: list[Array] = []
    for _ in range(count):
        answer = _run_process(session, probe, count, start_c(answers))
        parts.append(session.integers("latency_ns", answer.count))
        answers.append(answer)
    metered = _measure_energy(session, probe, probe.meter) if probe.meter else None
    return LatencyRun(np.concatenate(parts), tuple(answers), metered)


def _measure_energy(session: ProbeSession, probe: Probe, name: str) -> Energy | None:
    """Measure energy by the difference of two more runs, one twice as long: loading and warming up cancel out.

    None if the longer run took no more energy. Raises ProbeError if the meter does not answer.
    """
    meter, seconds = load_meter(name), max(METERED_S, probe.min_duration_s / probe.processes)
    runs = []
    for length_s in (seconds, 2 * seconds):
        meter.start()
        try:
            timed = probe.model_copy(update={"min_duration_s": length_s, "min_count": 1})
            count = _run_process(session, timed, 1, None).count
        finally:
            reading = meter.stop()
        runs.append((count, check_reading(reading, name)))
    (fewer, short), (more, long) = runs
    joules, length_s = long.joules - short.joules, long.seconds - short.seconds
    if more <= fewer or joules <= 0 or length_s <= 0:
        return None
    error = math.hypot(short.joules * short.uncertainty, long.joules * long.uncertainty)
    return Energy(
        joules=joules / (more - fewer),
        idle_watts=None,
        watts=joules / length_s,
        method=f"{long.method}, the difference of two runs",
        uncertainty=error / joules,
    )


def _run_process(session: ProbeSession, probe: Probe, processes: int, start_c: float | None) -> LatencyAnswer:
    share, seconds = math.ceil(probe.min_count / processes), probe.min_duration_s / processes
    argv: list[object] = ["--min-count", share, "--min-duration", seconds, "--threads", probe.threads]
    for cpu in probe.cpus or ():
        argv += ["--cpu", cpu]
    if start_c is not None:
        argv += ["--cool", start_c, probe.cool_down_s]
    limit = session.limit(share) + 2 * seconds + probe.cool_down_s + WARM_UP_S
    return session.ask(LatencyAnswer, "latency", "cycled", *argv, timeout=limit)


def start_c(answers: Sequence[Timed]) -> float | None:
    """Highest temperature before the first process, in °C; None before it, or without a sensor."""
    return max(answers[0].before.temperature_c.values(), default=None) if answers else None


def cycled(samples: Samples) -> dict[str, Array]:
    """Select the first samples, as many as the runner holds in memory to cycle through."""
    sample_bytes = sum(array[:1].nbytes for array in samples.inputs.values())
    count = max(1, CYCLED_BYTES // max(1, sample_bytes))
    return {name: array[:count] for name, array in samples.inputs.items()}


def timed_lengths(samples: Samples) -> str | None:
    """Sentence on the free lengths of the samples that latency is measured on; None if no length is free."""
    columns = cycled(samples)
    texts = [
        f"'{name.removesuffix(LENGTHS)}' is {values.min()} to {values.max()}, {np.median(values):g} in the median"
        for name, values in columns.items()
        if name.endswith(LENGTHS)
    ]
    count = len(next(iter(columns.values())))
    return f"Latency is that of the first {count} samples in turn, where {'; '.join(texts)}." if texts else None


def timed_process(answer: Timed, count: int) -> Process:
    """Circumstances in which a process timed `count` inferences or tokens."""
    return Process(
        count=count,
        load_ns=answer.load_ns,
        first_ns=answer.first_ns,
        warm_up_count=answer.warm_up_count,
        warm_up_ns=answer.warm_up_ns,
        steady=answer.steady,
        before=answer.before,
        after=answer.after,
        watched=answer.watched,
        cooled=answer.cooled,
    )
