"""The answers to a set of samples, shard by shard: what has come is kept, and the next probe goes on from there."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgekit.atomic import write
from edgekit.cache import Cache, digest_of
from edgekit.errors import EdgekitError, ProbeError
from edgekit.ir.measurement import Array
from edgekit.measure.store import packed
from edgekit.samples import Samples
from edgekit.untrusted.npy import read_npz

Outputs = Mapping[str, Array]
FIRST = 32
"""Samples in the first shard, which tells the pace: few, for a slow model must be through in its time limit."""
SHARD_S = 30.0
SHARD_BYTES = 64 << 20


def silent(words: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Shards:
    """How a set is cut: a shard takes `seconds` or so at the pace of those before it, and holds at most `bytes`."""

    keep: Path | None = None
    """Where shards are kept until the set is through; a folder of this endpoint and these samples alone."""
    tell: Callable[[str], None] = silent
    first: int = FIRST
    seconds: float = SHARD_S
    bytes: int = SHARD_BYTES

    def of(self, *identity: object) -> Shards:
        """The same, kept apart from those of every other endpoint and set of samples."""
        return replace(self, keep=self.keep / digest_of(list(map(str, identity)))) if self.keep else self


def shards_in(cache: Cache, tell: Callable[[str], None]) -> Shards:
    """Kept in the user's cache."""
    return Shards(cache.root / "probes", tell)


def answered(
    samples: Samples, ask: Callable[[Samples], Outputs], shards: Shards
) -> tuple[dict[str, Array], float | None]:
    """Every output, [N, …] by name in the order of `samples`, and how many samples a second came; None if all
    of them were kept from before.

    `ask` is called with stretches of `samples`, one after another. What it raises passes through, with a word on what
    was kept; the next call with the same `keep` asks only for the rest. Raises StorageError.
    """
    run = _Run(samples, shards, dict(_kept(shards.keep)))
    try:
        run.to_the_end(ask)
    except EdgekitError as error:
        if shards.keep and run.done:
            error.add_note(f"{run.done:,} of {len(samples):,} samples are kept: the same command goes on from there")
        raise
    _forget(shards.keep)
    return run.outputs(), run.pace


@dataclass
class _Run:
    samples: Samples
    shards: Shards
    parts: dict[int, Outputs]
    """By the index of their first sample."""
    done: int = 0
    pace: float | None = None
    """Samples a second; None until some have come."""
    _spent: float = 0.0
    _asked: int = 0

    def to_the_end(self, ask: Callable[[Samples], Outputs]) -> None:
        while self.done < len(self.samples):
            part = self.parts.get(self.done)
            if part is None:
                part = self._asking(ask)
            self.done += _length(part)
            rate = f", {self.pace:,.0f} a second" if self.pace else ""
            self.shards.tell(f"{self.done:,} of {len(self.samples):,} samples{rate}")

    def _asking(self, ask: Callable[[Samples], Outputs]) -> Outputs:
        count = min(self._size(), len(self.samples) - self.done)
        # A kept shard that lies ahead, from a run cut otherwise, is not asked for again.
        count = min([count, *(start - self.done for start in self.parts if start > self.done)])
        began = time.perf_counter()
        part = ask(self.samples.take(np.arange(self.done, self.done + count)))
        self._spent += time.perf_counter() - began
        self._asked += count
        self.pace = self._asked / max(self._spent, 1e-9)
        for name, array in part.items():
            if len(array) != count:
                raise ProbeError(f"'{name}' came with {len(array)} rows for {count} samples")
        if self.shards.keep:
            write(self.shards.keep / f"{self.done}.npz", packed(part))
        self.parts[self.done] = part
        return part

    def _size(self) -> int:
        if self.pace is None:
            return self.shards.first
        sample_bytes = sum(array[:1].nbytes for array in self.samples.inputs.values())
        return max(1, min(int(self.pace * self.shards.seconds), self.shards.bytes // max(1, sample_bytes)))

    def outputs(self) -> dict[str, Array]:
        """The parts joined that follow each other; two probes at once may have kept some that overlap.

        A damaged cache cannot smuggle in more rows: they are counted.
        """
        parts, start = [], 0
        while start < len(self.samples):
            parts.append(self.parts[start])
            start += _length(parts[-1])
        if any(_form(part) != _form(parts[0]) for part in parts):
            keep = self.shards.keep
            raise ProbeError(f"the answers kept in '{keep}' are not of one form", hint=f"rm -r '{keep}'")
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        for name, array in joined.items():
            if len(array) != len(self.samples):
                raise ProbeError(f"'{name}' came with {len(array)} rows for {len(self.samples)} samples")
        return joined


def _kept(keep: Path | None) -> Iterator[tuple[int, Outputs]]:
    """What an earlier probe left, whole."""
    for path in sorted(keep.glob("*.npz")) if keep else ():
        with contextlib.suppress(OSError, ValueError):
            part = read_npz(path, packed=False)
            if part and all(array.ndim and len(array) for array in part.values()):
                yield int(path.stem), part


def _forget(keep: Path | None) -> None:
    """File by file: another probe of the same may be at work beside it."""
    for path in keep.glob("*.npz") if keep else ():
        path.unlink(missing_ok=True)
    if keep:
        with contextlib.suppress(OSError):
            keep.rmdir()


def _form(part: Outputs) -> dict[str, object]:
    """Dtype and shape of a row, by name."""
    return {name: (array.dtype, array.shape[1:]) for name, array in part.items()}


def _length(part: Outputs) -> int:
    return len(next(iter(part.values())))
