"""Half a second of tones in noise, float32 [1, 2048] at 4 kHz: rising, falling, low, high, both of these, or none."""

from __future__ import annotations

import numpy as np

LENGTH, RATE = 2048, 4000
Sample = tuple[np.ndarray, int]


def tones(count: int, seed: int) -> list[Sample]:
    random = np.random.default_rng(seed)
    return [(_sound(random, i % 6), i % 6) for i in range(count)]


def _sound(random: np.random.Generator, label: int) -> np.ndarray:
    seconds = np.arange(LENGTH) / RATE
    start, stop = random.uniform(250, 450), random.uniform(800, 1300)
    rising = start * seconds + (stop - start) * seconds**2 / (2 * seconds[-1])
    falling = stop * seconds - (stop - start) * seconds**2 / (2 * seconds[-1])
    phases = ((rising,), (falling,), (start * seconds,), (stop * seconds,), (start * seconds, stop * seconds), ())
    begin, length = random.integers(0, 900), random.integers(700, 1100)
    envelope = np.zeros(LENGTH)
    envelope[begin : begin + length] = np.hanning(length)
    sound = sum((np.sin(2 * np.pi * (phase + random.random())) for phase in phases[label]), np.zeros(LENGTH))
    loudness = random.uniform(0.15, 0.6)
    return (loudness * envelope * sound + random.normal(scale=0.12, size=LENGTH))[None].astype(np.float32)


def training() -> list[Sample]:
    return tones(3000, 0)


def calibration() -> list[Sample]:
    return tones(96, 1)


def evaluation() -> list[Sample]:
    return tones(600, 2)
