"""Bandwidth of the memory, by copying arrays that no cache holds (the kernel Copy of STREAM, McCalpin 1995)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter_ns

import numpy as np

from .system import available_bytes

TIMES = 4
"""Size of all arrays against the last cache's: STREAM asks for four times at least."""
LEAST_BYTES, MOST_BYTES = 32 << 20, 256 << 20
"""Limits of that size: a cache that is shared by many cores is never one program's alone."""
ROUNDS = 5
"""Copies of which the quickest counts, after one that maps the pages."""


def copied_bytes_per_s(threads: int) -> float:
    """Bytes that `threads` threads read and write a second together, each copying its own part of an array.

    A byte that is copied counts twice, as in STREAM.
    """
    size = _size() // 2 // threads
    sources = [np.zeros(size, np.uint8) for _ in range(threads)]
    copies = [np.ones(size, np.uint8) for _ in range(threads)]
    for source in sources:
        source.fill(1)  # zeros share one page until they are written
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(ROUNDS + 1):
            started = perf_counter_ns()
            list(pool.map(np.copyto, copies, sources))
            best = max(best, 2e9 * size * threads / max(1, perf_counter_ns() - started))
    return best


def _size() -> int:
    """Bytes of all arrays: several times the largest cache, and no more than an eighth of what is free."""
    wanted = max(LEAST_BYTES, min(MOST_BYTES, TIMES * last_cache_bytes()))
    free = available_bytes()
    return wanted if free is None else max(1 << 20, min(wanted, free // 8))


def last_cache_bytes(folder: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> int:
    """Bytes of the largest cache of the first core; 0 where the system does not say."""
    sizes = []
    for path in folder.glob("index*/size"):
        try:
            text = path.read_text("ascii").strip()
            sizes.append(int(text.rstrip("KM")) << {"K": 10, "M": 20}.get(text[-1:], 0))
        except (OSError, ValueError):
            continue
    return max(sizes, default=0)
