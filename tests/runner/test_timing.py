from __future__ import annotations

import gc
import itertools

import numpy as np
import pytest

from edgekit.runner import timing
from edgekit.runner.timing import WARM_UP_COUNT, single_stream


def test_samples_are_cycled_in_their_order_after_a_warm_up() -> None:
    seen: list[str] = []
    taken = single_stream(seen.append, ["a", "b", "c"], 7, 0)
    assert len(seen) == WARM_UP_COUNT + 7
    assert "".join(seen[WARM_UP_COUNT:]) == "abcabca"
    assert taken.dtype == np.int64
    assert len(taken) == 7
    assert taken.min() > 0


def test_both_minima_are_met(monkeypatch: pytest.MonkeyPatch) -> None:
    # A clock that is a millisecond later each time it is read: twice an inference.
    monkeypatch.setattr(timing, "perf_counter_ns", itertools.count(0, 1_000_000).__next__)
    assert len(single_stream(lambda sample: None, [0], 5, 0.02)) == 10
    assert len(single_stream(lambda sample: None, [0], 50, 0.02)) == 50


def test_garbage_is_not_collected_while_it_times() -> None:
    states: list[bool] = []
    assert gc.isenabled()
    single_stream(lambda sample: states.append(gc.isenabled()), [0], 3, 0)
    assert states[-3:] == [False] * 3
    assert gc.isenabled()


def test_a_call_that_fails_leaves_the_collector_on() -> None:
    calls = iter(range(WARM_UP_COUNT))
    with pytest.raises(StopIteration):
        single_stream(lambda sample: next(calls), [0], 1, 0)
    assert gc.isenabled()


def test_nothing_to_time_is_an_error() -> None:
    with pytest.raises(ValueError, match="no samples"):
        single_stream(lambda sample: None, [], 1, 0)
