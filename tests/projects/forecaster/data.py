"""Series of two seasons, a trend and autoregressive noise: 48 steps, float32 [48], and the next 12."""

from __future__ import annotations

import numpy as np

PAST, HORIZON = 48, 12
Sample = tuple[np.ndarray, np.ndarray]


def series(count: int, seed: int) -> list[Sample]:
    random = np.random.default_rng(seed)
    steps, samples = np.arange(PAST + HORIZON), []
    for _ in range(count):
        noise = np.zeros(len(steps))
        for t in range(1, len(steps)):
            noise[t] = 0.6 * noise[t - 1] + random.normal(scale=0.1)
        seasons = random.uniform(0.4, 1.2) * np.sin(2 * np.pi * (steps / 12 + random.random()))
        seasons += random.uniform(0, 0.6) * np.sin(2 * np.pi * (steps / 7 + random.random()))
        values = random.normal() + random.normal(scale=0.01) * steps + seasons + noise
        samples.append((values[:PAST].astype(np.float32), values[PAST:].astype(np.float32)))
    return samples


def training() -> list[Sample]:
    return series(4000, 0)


def calibration() -> list[Sample]:
    return series(128, 1)


def evaluation() -> list[Sample]:
    return series(500, 2)
