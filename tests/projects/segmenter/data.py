"""Digits on photographs: uint8 [48, 48, 3], and the mask of the digit, uint8 [48, 48]. All from scikit-learn."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits, load_sample_images

SIZE = 48
Sample = tuple[np.ndarray, np.ndarray]


def drawn(count: int, seed: int) -> list[Sample]:
    random, digits = np.random.default_rng(seed), load_digits().images
    return [_one(random, digits) for _ in range(count)]


def _one(random: np.random.Generator, digits: np.ndarray) -> Sample:
    photographs = load_photographs()
    photograph = photographs[random.integers(len(photographs))]
    top, left = (random.integers(0, length - SIZE) for length in photograph.shape[:2])
    image = photograph[top : top + SIZE, left : left + SIZE].astype(np.float64)
    factor = int(random.integers(3, 6))
    digit = np.kron(digits[random.integers(len(digits))] / 16, np.ones((factor, factor)))
    alpha, (y, x) = np.zeros((SIZE, SIZE)), random.integers(0, SIZE - len(digit) + 1, 2)
    alpha[y : y + len(digit), x : x + len(digit)] = digit
    ink = random.uniform(0, 255, 3)
    image += alpha[..., None] * (ink - image) + random.normal(scale=6, size=image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), (alpha > 0.4).astype(np.uint8)


def load_photographs() -> list[np.ndarray]:
    if not _PHOTOGRAPHS:
        _PHOTOGRAPHS.extend(load_sample_images().images)
    return _PHOTOGRAPHS


_PHOTOGRAPHS: list[np.ndarray] = []


def training() -> list[Sample]:
    return drawn(1500, 0)


def calibration() -> list[Sample]:
    return drawn(64, 1)


def evaluation() -> list[Sample]:
    return drawn(200, 2)
