"""edgekit's percentiles are those of MLPerf's LoadGen; `scripts/bench loadgen` compares a thousand vectors."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scripts.benchmark.loadgen import Recorded, record

CASES = [
    *((90.0, count) for count in (1, 63, 64, 65, 80, 81, 96, 97, 128, 200, 662)),
    *((95.0, count) for count in (64, 129, 130, 131, 164, 165, 198, 300, 662)),
    *((99.0, count) for count in (128, 661, 662, 663, 837, 838, 1001, 2048)),
    *((99.9, count) for count in (662, 6635, 6636, 6637, 8402, 8403)),
]


def recorded(percent: float, count: int, folder: Path, seed: int = 0) -> Recorded:
    chance = random.Random(seed)
    return record(count, percent, lambda query: int(chance.expovariate(1 / 3_000)), folder)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("percent", "count"), CASES)
def test_an_estimate_is_loadgens_own(percent: float, count: int, seed: int, tmp_path: Path) -> None:
    log = recorded(percent, count, tmp_path, seed)
    assert len(log.latency_ns) == count
    assert log.differences == ()


@pytest.mark.parametrize(("percent", "needed"), [(90.0, 64), (95.0, 130), (99.0, 662), (99.9, 6636)])
def test_loadgen_estimates_from_as_few_as_edgekit_and_no_fewer(percent: float, needed: int, tmp_path: Path) -> None:
    assert recorded(percent, needed, tmp_path).estimate_ns is not None
    assert recorded(percent, needed - 1, tmp_path).estimate_ns is None


def test_one_latency_beside_the_estimate_is_a_difference(tmp_path: Path) -> None:
    log = recorded(90.0, 64, tmp_path)
    second = int(np.sort(log.latency_ns)[-2])
    assert replace(log, estimate_ns=second).differences == ((90.0, second, int(log.latency_ns.max())),)
