"""Random numbers of a perturbation: by its name, its severity and the sample, the same on every machine.

A sample is known by the digest of its own values: it is perturbed alike in a set of ten and in one of ten thousand.
The words come from Philox (Salmon et al. 2011), whose stream numpy guarantees; what is made of them here is by tables
and additions alone, as numpy's own distributions may change with its version, and with the machine's mathematics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from statistics import NormalDist

import numpy as np

from edgekit.datasets import free_lengths
from edgekit.ir.measurement import Array
from edgekit.samples import Samples
from edgekit.specs.inputs import Input

LEVELS = 1 << 16
"""Number of different draws: the normal ones end at 4.2 standard deviations."""


def sample_keys(samples: Samples, name: str, spec: Input | None = None) -> tuple[bytes, ...]:
    """Key of each sample: the digest of its values of the input `name`.

    spec: its statement, by which what pads a sample up to the longest of its set does not count.
    """
    array = np.ascontiguousarray(samples.inputs[name])
    if samples.length is not None:
        rows: Iterable[Array] = (row[:length] for row, length in zip(array, samples.length, strict=True))
    elif spec and free_lengths.free_axes(spec):
        rows = (free_lengths.sample(samples.inputs, {name: spec}, i)[name] for i in range(len(array)))
    else:
        rows = array
    return tuple(blake2b(row.tobytes(), digest_size=16).digest() for row in rows)


@dataclass(frozen=True)
class Draws:
    """Source of random numbers for N samples. The same call on the same source gives the same numbers."""

    stream: str
    """Name of the stream, such as `gaussian noise 3`."""
    keys: Sequence[bytes]
    """Keys of the N samples."""

    def __len__(self) -> int:
        return len(self.keys)

    def other(self, name: str) -> Draws:
        """Source that is independent of this one, for a second draw of the same perturbation."""
        return Draws(f"{self.stream}/{name}", self.keys)

    def part(self, start: int, end: int) -> Draws:
        """Source for the samples from `start` up to `end`: the numbers that these have in the whole."""
        return Draws(self.stream, self.keys[start:end])

    def words(self, count: int) -> Array:
        """uint16 [N, count]: even over all values."""
        words = np.empty((len(self), -(-count // 4) * 4), "<u2")
        for row, key in zip(words, self.keys, strict=True):
            seed = int.from_bytes(blake2b(self.stream.encode(), key=key, digest_size=16).digest(), "little")
            row[:] = np.random.Philox(key=seed).random_raw(len(row) // 4).astype("<u8").view("<u2")
        return words[:, :count]

    def uniform(self, count: int) -> Array:
        """float32 [N, count]: even in (0, 1)."""
        return np.asarray((self.words(count).astype(np.float32) + np.float32(0.5)) / np.float32(LEVELS))

    def integers(self, count: int, end: int) -> Array:
        """int64 [N, count]: even over 0 … end - 1, to within 1 in 65,536."""
        return np.asarray(self.words(count).astype(np.int64) * end >> 16)

    def normal(self, count: int) -> Array:
        """float32 [N, count]: normal with mean 0 and variance 1."""
        return np.asarray(_normal_quantiles()[self.words(count)])


@cache
def _normal_quantiles() -> Array:
    """float32 [LEVELS]: quantiles of the normal distribution at the middles of as many equal parts."""
    inverse = NormalDist().inv_cdf
    upper = [inverse((word + 0.5) / LEVELS) for word in range(LEVELS // 2, LEVELS)]
    return np.array([-value for value in reversed(upper)] + upper, np.float32)
