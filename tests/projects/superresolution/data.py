"""Patches of photographs, float32 [3, 32, 32] in [0, 1], and their means of 2 x 2 pixels, [3, 16, 16].

The left two thirds of each photograph are for training, the rest is for evaluation.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_sample_images

LARGE = 32
Sample = tuple[np.ndarray, np.ndarray]


def patches(count: int, seed: int, left: bool) -> list[Sample]:
    random, samples = np.random.default_rng(seed), []
    for photograph in load_sample_images().images:
        split = 2 * photograph.shape[1] // 3
        half = photograph[:, :split] if left else photograph[:, split:]
        for _ in range(count // 2):
            y, x = (random.integers(0, length - LARGE + 1) for length in half.shape[:2])
            large = half[y : y + LARGE, x : x + LARGE].transpose(2, 0, 1).astype(np.float32) / 255
            small = large.reshape(3, LARGE // 2, 2, LARGE // 2, 2).mean(axis=(2, 4), dtype=np.float32)
            samples.append((small, large))
    return samples


def training() -> list[Sample]:
    return patches(1600, 0, left=True)


def calibration() -> list[Sample]:
    return patches(64, 1, left=True)


def evaluation() -> list[Sample]:
    return patches(200, 2, left=False)
