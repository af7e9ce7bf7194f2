"""Weights of products that stand in for sums and means (`forms.averages`), as a file names them: by their digest."""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np


@cache
def reduction_keys(length: int) -> frozenset[str]:
    """SHA-256, as hexadecimal digits, of `length` float32 weights that sum or average."""
    return frozenset(
        hashlib.sha256(np.full(length, weight, np.float32).tobytes()).hexdigest() for weight in (1.0, 1 / length)
    )
