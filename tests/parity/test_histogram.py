import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.parity.latency_histogram import BINS, Histogram, side_by_side

latencies = st.lists(st.integers(0, 10**12), min_size=1, max_size=50).map(lambda drawn: np.array(drawn, np.int64))


@given(latencies, latencies)
def test_every_latency_of_both_is_in_a_bin(first: np.ndarray, second: np.ndarray) -> None:
    ours, theirs = side_by_side(first, second)
    assert ours
    assert theirs
    assert (sum(ours.counts), sum(theirs.counts)) == (len(first), len(second))
    assert ours.edges_ns == theirs.edges_ns
    assert len(ours.edges_ns) == len(ours.counts) + 1 <= BINS + 1
    assert list(ours.edges_ns) == sorted(set(ours.edges_ns))


def test_edges_grow_by_one_factor() -> None:
    histogram, _ = side_by_side(np.array([1_000_000, 16_777_215_999_999]), np.array([2_000_000]))
    assert histogram
    edges = np.array(histogram.edges_ns)
    assert edges[1:] / edges[:-1] == pytest.approx(2, rel=1e-4)


def test_one_latency_takes_one_bin() -> None:
    assert side_by_side(np.array([7]), np.empty(0, np.int64)) == (Histogram((7, 8), (1,)), None)


def test_nothing_timed_is_no_histogram() -> None:
    assert side_by_side(np.empty(0, np.int64), np.empty(0, np.int64)) == (None, None)
