"""The one timing loop: what runs on the device also times the float reference."""

from __future__ import annotations

import gc
from array import array
from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Sample = TypeVar("Sample")

WARM_UP_COUNT = 16
WARM_UP_NS = 1_000_000_000


def single_stream(
    call: Callable[[Sample], Any], samples: Sequence[Sample], min_count: int, min_duration_s: float
) -> npt.NDArray[np.int64]:
    """Latencies in ns of `call`, one sample after another, until both minima are met: int64 [M], none left out.

    The samples are cycled in their order, after a warm-up that is not recorded. MLPerf Inference calls this scenario
    SingleStream. Raises ValueError without samples.
    """
    if not samples:
        raise ValueError("there are no samples to time")
    _warm_up(call, samples)
    collected = gc.isenabled()
    gc.disable()
    try:
        taken = _timed(call, samples, min_count, int(min_duration_s * 1e9))
    finally:
        if collected:
            gc.enable()
    return np.frombuffer(taken, np.int64).copy()


def _warm_up(call: Callable[[Sample], Any], samples: Sequence[Sample]) -> None:
    deadline = perf_counter_ns() + WARM_UP_NS
    for i in range(WARM_UP_COUNT):
        call(samples[i % len(samples)])
        if perf_counter_ns() > deadline:
            return


def _timed(call: Callable[[Sample], Any], samples: Sequence[Sample], min_count: int, min_ns: int) -> array[int]:
    taken = array("q")
    last = len(samples) - 1
    i = 0
    now = perf_counter_ns()
    deadline = now + min_ns
    while len(taken) < min_count or now < deadline:
        sample = samples[i]
        start = perf_counter_ns()
        call(sample)
        now = perf_counter_ns()
        taken.append(now - start)
        i = i + 1 if i < last else 0
    return taken
