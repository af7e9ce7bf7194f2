"""Scans of digits, float32 [64] in [0, 1], and 1 for those of which a block of 3 x 3 is noise. Halves are disjoint."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

Sample = tuple[np.ndarray, int]


def scans(part: slice, damaged: bool) -> list[Sample]:
    random, images = np.random.default_rng(0), load_digits().images[part].astype(np.float32) / 16
    samples = []
    for i, image in enumerate(images):
        label = int(damaged and i % 3 == 0)
        if label:
            y, x = random.integers(0, 6, 2)
            image[y : y + 3, x : x + 3] = random.random((3, 3))
        samples.append((image.ravel(), label))
    return samples


def training() -> list[Sample]:
    return scans(slice(1200), damaged=False)


def calibration() -> list[Sample]:
    return scans(slice(120), damaged=True)


def evaluation() -> list[Sample]:
    return scans(slice(1200, None), damaged=True)
