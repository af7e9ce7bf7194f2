"""Ratios of time of files that take turns: the median of the turns, with an interval."""

from __future__ import annotations

import numpy as np

from scripts.benchmark.runtimes import ratio


def test_the_ratio_is_that_of_turns_whatever_the_machine_does_meanwhile() -> None:
    load = np.geomspace(1, 30, 101)  # of the machine, the same for both files of a turn
    basis = 1000 * load
    jitter = np.random.default_rng(0).normal(1, 0.05, 101)
    median, low, high = ratio(800 * load * jitter, basis)
    assert low < median < high
    assert abs(median - 0.8) < 0.02
    assert high - low < 0.05


def test_a_file_against_itself_is_exactly_as_fast() -> None:
    times = np.array([3, 5, 4])
    assert ratio(times, times) == (1.0, 1.0, 1.0)
