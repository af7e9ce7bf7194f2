"""Pairs of scans of digits, float32 [1, 8, 8] in [0, 1], and 1 if both are of one digit. The halves are disjoint."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

Sample = tuple[dict[str, np.ndarray], int]


def pairs(count: int, seed: int, part: slice) -> list[Sample]:
    digits, random = load_digits(), np.random.default_rng(seed)
    scans, labels = digits.images[part, None].astype(np.float32) / 16, digits.target[part]
    samples: list[Sample] = []
    for i in range(count):
        first = int(random.integers(len(labels)))
        same = labels == labels[first]
        second = int(random.choice(np.flatnonzero(same if i % 2 else ~same)))
        samples.append(({"left": scans[first], "right": scans[second]}, i % 2))
    return samples


def training() -> list[Sample]:
    return pairs(6000, 0, slice(900))


def calibration() -> list[Sample]:
    return pairs(100, 1, slice(900))


def evaluation() -> list[Sample]:
    return pairs(600, 2, slice(900, None))
