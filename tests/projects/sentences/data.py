"""Runs of words of Alice's Adventures in Wonderland, which edgekit ships, each as long as it is.

A passage is 20 words in a row; a run has 8 to 16 of them, in their order. A sample's identity is its passage: of a run,
another run of the same passage is to be found.
"""

from __future__ import annotations

import re
from importlib.resources import files
from zlib import crc32

import numpy as np

LENGTH, PASSAGE, WORDS = 16, 20, 2048
HELD_OUT = "CHAPTER VII "
"""Chapters from here on are not trained on."""
Sample = tuple[dict[str, np.ndarray], int]


def words(held_out: bool) -> np.ndarray:
    """Words of the book's first or second half in their order, int64, from 1; some share a number."""
    text = files("edgekit.examples").joinpath("stories", "alice.txt").read_text("utf-8")
    half = text.partition(HELD_OUT)[2 if held_out else 0].lower()
    return np.array([1 + crc32(word.encode()) % (WORDS - 1) for word in re.findall(r"[a-z]+", half)])


def run(passage: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw a run of the passage."""
    length = random.integers(LENGTH // 2, LENGTH + 1)
    return passage[np.sort(random.permutation(PASSAGE)[:length])]


def pairs(held_out: bool, count: int, seed: int) -> list[Sample]:
    """Draw two runs, one after the other, of each of `count` passages, evenly over a half; none overlap."""
    text, random = words(held_out), np.random.default_rng(seed)
    places = len(text) // PASSAGE * np.arange(count) // count * PASSAGE
    return [
        ({"tokens": run(text[place : place + PASSAGE], random)}, i) for i, place in enumerate(places) for _ in range(2)
    ]


def calibration() -> list[Sample]:
    return pairs(False, 64, 1)


def evaluation() -> list[Sample]:
    return pairs(True, 600, 2)
