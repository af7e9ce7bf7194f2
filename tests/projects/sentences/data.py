"""Runs of 8 to 16 words of the descriptions of scikit-learn's data sets, each as long as it is.

A sample's identity is its description."""

from __future__ import annotations

import re
from importlib.resources import files
from zlib import crc32

import numpy as np

LENGTH, WORDS = 16, 1024
NAMES = ("breast_cancer", "california_housing", "covtype", "diabetes", "digits", "iris", "kddcup99", "lfw", "rcv1",
         "species_distributions", "twenty_newsgroups", "wine_data")  # fmt: skip
Sample = tuple[dict[str, np.ndarray], int]


def runs(count: int, seed: int, first: bool) -> list[Sample]:
    """Draw runs from the first two thirds of the words of each description, or from the rest."""
    random, texts = np.random.default_rng(seed), [_words(name) for name in NAMES]
    samples: list[Sample] = []
    for i in range(count):
        label = i % len(texts)
        split = 2 * len(texts[label]) // 3
        words = texts[label][:split] if first else texts[label][split:]
        length = int(random.integers(LENGTH // 2, LENGTH + 1))
        start = int(random.integers(0, len(words) - length + 1))
        samples.append(({"tokens": np.array(words[start : start + length])}, label))
    return samples


def _words(name: str) -> list[int]:
    text = files("sklearn.datasets").joinpath("descr", f"{name}.rst").read_text("utf-8").lower()
    return [1 + crc32(word.encode()) % (WORDS - 1) for word in re.findall(r"[a-z]{3,}", text)]


def training() -> list[Sample]:
    return runs(4000, 0, first=True)


def calibration() -> list[Sample]:
    return runs(96, 1, first=True)


def evaluation() -> list[Sample]:
    return runs(360, 2, first=False)
