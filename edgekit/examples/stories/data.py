"""Alice's Adventures in Wonderland (Lewis Carroll, 1865) in tokens, as map-style data sets of sequences.

Chapters I to X are trained on; XI and XII are held out. A sample is 128 tokens, int64 [128], and the token that follows
each, int64 [128]; samples follow one another in the text.
"""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

TEXT, TOKENIZER = (Path(__file__).with_name(name) for name in ("alice.txt", "tokenizer.json"))
STEPS = 128
HELD_OUT = "CHAPTER XI "


class Passages:
    """Passages of 128 tokens, one after another."""

    def __init__(self, tokens: np.ndarray) -> None:
        """tokens: int64 [N, 129]."""
        self.tokens = tokens

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        return self.tokens[i, :-1], self.tokens[i, 1:]


def training() -> Passages:
    """Chapters I to X, which `scripts/train-stories` trains on."""
    return _passages(training_text())


def training_text() -> str:
    """Text of chapters I to X."""
    return _parts()[0]


def calibration() -> Passages:
    """Every thirtieth passage of the chapters that are trained on: 13."""
    return Passages(training().tokens[::30])


def evaluation() -> Passages:
    """Every third passage of chapters XI and XII, which are held out: 23."""
    return Passages(_passages(_parts()[1]).tokens[::3])


def _passages(text: str) -> Passages:
    tokens = np.array(encoder()(text), np.int64)
    count = (len(tokens) - 1) // STEPS
    return Passages(np.stack([tokens[i * STEPS : (i + 1) * STEPS + 1] for i in range(count)]))


def _parts() -> tuple[str, str]:
    text = TEXT.read_text("utf-8")
    cut = text.index(HELD_OUT)
    return text[:cut], text[cut:]


@cache
def encoder() -> Callable[[str], list[int]]:
    """Function from a text to its token ids."""
    from edgekit.runner.processing.tokenization import read_tokenization

    return read_tokenization(json.loads(TOKENIZER.read_text("utf-8"))).encode
