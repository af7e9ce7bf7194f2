"""Shingles of texts: the runs of a few tokens that two texts may have in common (Broder 1997)."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array

WIDTH = 3
"""Tokens of a shingle."""
PRIME = np.uint64(0x9E3779B97F4A7C15)
"""Odd number that spreads hashes over 64 bits (the golden ratio, as in Knuth's multiplicative hashing)."""


def shingles(tokens: Array) -> Array:
    """Hashes uint64 [S] of the different shingles of one text, int [L], without the padding at its end, sorted.

    Padding is a run of one token at the end. A text shorter than a shingle is one shingle.
    """
    text = tokens[: length(tokens)].astype(np.uint64)
    width = min(WIDTH, len(text))
    hashes = np.zeros(max(len(text) - width + 1, 1), np.uint64)
    for k in range(width):
        hashes = (hashes ^ (text[k : k + len(hashes)] + np.uint64(1))) * PRIME
        hashes ^= hashes >> np.uint64(29)
    return np.unique(hashes)


def length(tokens: Array) -> int:
    """Number of the tokens before the padding of a text, int [L]."""
    if len(tokens) < 2:
        return len(tokens)
    others = np.flatnonzero(tokens != tokens[-1])
    end = int(others[-1]) + 1 if len(others) else 0
    # A last token that stands alone is one of the text.
    return len(tokens) if end >= len(tokens) - 1 else end


def jaccard(ours: Array, theirs: Array) -> float:
    """Share of the shingles of two texts that both have, in [0, 1]."""
    common = len(np.intersect1d(ours, theirs, assume_unique=True))
    return common / max(len(ours) + len(theirs) - common, 1)
