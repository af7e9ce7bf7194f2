"""scikit-learn's copy of the UCI optical digits as map-style data sets of (uint8 [8, 8, 1] from 0 to 16, label).

The 1,797 scans are split once, class by class, into a half that is trained on and a half that is held out.
"""

from functools import cache

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 0


class Scans:
    """The scans at `indices` of the whole set, in that order."""

    def __init__(self, indices: np.ndarray) -> None:
        images, labels = _digits()
        self.indices = indices
        self.images, self.labels = images[indices], labels[indices]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[np.ndarray, int]:
        return self.images[i], int(self.labels[i])


def training() -> Scans:
    """The half that `scripts/train-digits` trains on: 898 scans."""
    return Scans(_halves()[0])


def calibration() -> Scans:
    """Every third scan of the training half: 300."""
    return Scans(_halves()[0][::3])


def evaluation() -> Scans:
    """The held-out half: 899 scans."""
    return Scans(_halves()[1])


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    digits = load_digits()
    return digits.images.astype(np.uint8)[..., None], digits.target


@cache
def _halves() -> tuple[np.ndarray, np.ndarray]:
    labels = _digits()[1]
    half, rest = train_test_split(np.arange(len(labels)), train_size=0.5, random_state=SEED, stratify=labels)
    return np.sort(half), np.sort(rest)
