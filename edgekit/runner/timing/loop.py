"""The timing loop, with its warm-up: it times models on a device, the float reference and servers alike."""

from __future__ import annotations

import gc
from array import array
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter_ns
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

Sample = TypeVar("Sample")
Look = Callable[[int, int], None]
"""Callback between two inferences, and at the end: nanoseconds since the timing began, and inferences so far."""

LOOK_NS = 500_000_000
"""Time between two calls of `look`."""
FEELS_A_LOOK_NS = LOOK_NS // 10
"""Longest inference that is run once more, untimed, after a look: a look empties caches."""
# The warm-up ends when the medians of three spans in a row agree; a span is long enough for a clock to move.
SPANS = 3
SPAN_COUNT = 5
SPAN_NS = 50_000_000
AGREED = 0.05
WARM_UP_NS = 5_000_000_000


class TimedInferences(NamedTuple):
    """Latencies of single inferences in a row, and facts of the warm-up before them, which is not among them."""

    latency_ns: npt.NDArray[np.int64]
    """Latency of every timed inference, int64 [M]."""
    warm_up_count: int
    warm_up_ns: int
    steady: bool
    """True if the warm-up ended because the times had settled, False if its limit came first."""


def unobserved(at_ns: int, count: int) -> None:
    """Observe nothing."""


def nothing() -> None:
    """Do nothing."""


def single_stream(
    call: Callable[[Sample], Any],
    samples: Sequence[Sample],
    min_count: int,
    min_duration_s: float,
    look: Look = unobserved,
    started: Callable[[], None] = nothing,
) -> TimedInferences:
    """Time `call`, one sample after another, until both minima are met.

    The samples are cycled in their order, after a warm-up. `started` is called when it is over, `look` every half a
    second from then on, outside what is timed. MLPerf Inference calls this scenario SingleStream. Raises ValueError
    without samples.
    """
    if not samples:
        raise ValueError("there are no samples to time")
    began = perf_counter_ns()
    count, steady = _warm_up(call, samples)
    ended = perf_counter_ns()
    collected = gc.isenabled()
    gc.disable()
    try:
        started()
        call(samples[-1])
        latencies_ns = _timed(call, samples, min_count, int(min_duration_s * 1e9), look)
    finally:
        if collected:
            gc.enable()
    return TimedInferences(np.frombuffer(latencies_ns, np.int64).copy(), count, ended - began, steady)


def run_untimed(call: Callable[[Sample], Any], samples: Sequence[Sample], count: int, limit_s: float) -> None:
    """Warm up by at most `count` calls, over the samples in their order, and end early after `limit_s` seconds."""
    deadline = perf_counter_ns() + int(limit_s * 1e9)
    for i in range(count):
        call(samples[i % len(samples)])
        if perf_counter_ns() > deadline:
            return


def _warm_up(call: Callable[[Sample], Any], samples: Sequence[Sample]) -> tuple[int, bool]:
    """Run until the times settle or WARM_UP_NS is over: count of inferences, and True if they settled."""
    medians: list[float] = []
    count = 0
    now = perf_counter_ns()
    deadline = now + WARM_UP_NS
    while now < deadline:
        span: list[int] = []
        span_end = now + SPAN_NS
        while len(span) < SPAN_COUNT or now < span_end:
            begun = perf_counter_ns()
            call(samples[count % len(samples)])
            now = perf_counter_ns()
            span.append(now - begun)
            count += 1
            if now >= deadline:
                return count, False
        medians = [*medians, median(span)][-SPANS:]
        if len(medians) == SPANS and max(medians) <= (1 + AGREED) * min(medians):
            return count, True
    return count, False


def _timed(
    call: Callable[[Sample], Any], samples: Sequence[Sample], min_count: int, min_ns: int, look: Look
) -> array[int]:
    latencies_ns = array("q")
    last = len(samples) - 1
    i = 0
    started = now = perf_counter_ns()
    deadline = started + min_ns
    next_look = started + LOOK_NS
    while len(latencies_ns) < min_count or now < deadline:
        sample = samples[i]
        begun = perf_counter_ns()
        call(sample)
        now = perf_counter_ns()
        latencies_ns.append(now - begun)
        i = i + 1 if i < last else 0
        if now >= next_look:
            look(now - started, len(latencies_ns))
            if latencies_ns[-1] < FEELS_A_LOOK_NS:
                call(sample)
            next_look = now + LOOK_NS
    look(now - started, len(latencies_ns))
    return latencies_ns
