from __future__ import annotations

import gc
import itertools
from collections.abc import Callable

import numpy as np
import pytest

from edgekit.runner.timing import loop
from edgekit.runner.timing.loop import LOOK_NS, SPAN_COUNT, SPANS, WARM_UP_NS, single_stream

MS = 1_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A clock that is that much later each time it is read."""

    def set_step(step_ns: int) -> None:
        monkeypatch.setattr(loop, "perf_counter_ns", itertools.count(0, step_ns).__next__)

    return set_step


def test_samples_are_cycled_in_their_order_after_a_warm_up(clock: Callable[[int], None]) -> None:
    clock(20 * MS)
    seen: list[str] = []
    timed = single_stream(seen.append, ["a", "b", "c"], 7, 0)
    assert timed.warm_up_count == SPANS * SPAN_COUNT
    assert timed.steady
    assert "".join(seen) == "abcabcabcabcabc" + "c" + "abcabca"
    assert timed.latency_ns.dtype == np.int64
    assert timed.latency_ns.tolist() == [20 * MS] * 7


def test_both_minima_are_met(clock: Callable[[int], None]) -> None:
    clock(MS)
    assert len(single_stream(lambda sample: None, [0], 5, 0.02).latency_ns) == 10
    assert len(single_stream(lambda sample: None, [0], 50, 0.02).latency_ns) == 50


def test_the_warm_up_lasts_until_the_times_have_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    now, calls = 0, 0

    def call(sample: object) -> None:
        nonlocal now, calls
        calls += 1
        now += 20 * MS if calls > 40 else 40 * MS - calls * MS // 2

    monkeypatch.setattr(loop, "perf_counter_ns", lambda: now)
    timed = single_stream(call, [0], 3, 0)
    assert timed.steady
    assert timed.warm_up_count > 40
    assert timed.latency_ns.tolist() == [20 * MS] * 3


def test_a_warm_up_that_does_not_settle_ends_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    now, step = 0, itertools.count(1)

    def call(sample: object) -> None:
        nonlocal now
        now += next(step) * 10 * MS  # slower every time

    monkeypatch.setattr(loop, "perf_counter_ns", lambda: now)
    timed = single_stream(call, [0], 1, 0)
    assert not timed.steady
    assert WARM_UP_NS <= timed.warm_up_ns < WARM_UP_NS + 400 * MS


def test_it_looks_between_inferences_every_half_second_and_at_the_end(clock: Callable[[int], None]) -> None:
    clock(100 * MS)
    looks: list[tuple[int, int]] = []
    started: list[bool] = []
    single_stream(
        lambda sample: None, [0], 12, 0, lambda at_ns, count: looks.append((at_ns, count)), lambda: started.append(True)
    )
    assert [count for _, count in looks] == [3, 6, 9, 12, 12]
    assert looks[0][0] >= LOOK_NS
    assert started == [True]


def test_garbage_is_not_collected_while_it_times() -> None:
    states: list[bool] = []
    assert gc.isenabled()
    single_stream(lambda sample: states.append(gc.isenabled()), [0], 3, 0)
    assert states[-3:] == [False] * 3
    assert gc.isenabled()


def test_a_call_that_fails_leaves_the_collector_on(clock: Callable[[int], None]) -> None:
    clock(20 * MS)
    calls = iter(range(SPANS * SPAN_COUNT + 1))
    with pytest.raises(StopIteration):
        single_stream(lambda sample: next(calls), [0], 1, 0)
    assert gc.isenabled()


def test_nothing_to_time_is_an_error() -> None:
    with pytest.raises(ValueError, match="no samples"):
        single_stream(lambda sample: None, [], 1, 0)
