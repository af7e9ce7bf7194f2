"""Sentences of 6 to 12 words, int64 [12], filled with 0, and their tags, a list of as many.

A date is `on`, then one to three words of 10 to 59; a place is `in`, then one or two of 30 to 99: the words in common
are a date or a place by what is before them. A preposition ahead of another word opens nothing.
"""

from __future__ import annotations

import numpy as np

LENGTH = 12
ON, IN = 1, 2
Sample = tuple[np.ndarray, np.ndarray]


def sentences(count: int, seed: int) -> list[Sample]:
    random = np.random.default_rng(seed)
    return [_sentence(random) for _ in range(count)]


def _sentence(random: np.random.Generator) -> Sample:
    length = int(random.integers(6, LENGTH + 1))
    words: list[int] = []
    tags: list[int] = []
    while len(words) < length:
        kind = random.integers(4)
        if kind == 0:
            size = int(random.integers(1, 4))
            words += [ON, *random.integers(10, 60, size)]
            tags += [0, 1, *[2] * (size - 1)]
        elif kind == 1:
            size = int(random.integers(1, 3))
            words += [IN, *random.integers(30, 100, size)]
            tags += [0, 3, *[4] * (size - 1)]
        else:
            words += [int(random.integers(3, 10)) if random.random() < 0.2 else int(random.integers(100, 200))]
            tags += [0]
    tokens = np.zeros(LENGTH, np.int64)
    tokens[:length] = words[:length]
    return tokens, np.array(tags[:length])


def training() -> list[Sample]:
    return sentences(4000, 0)


def calibration() -> list[Sample]:
    return sentences(96, 1)


def evaluation() -> list[Sample]:
    return sentences(400, 2)
