"""Answer a set of samples shard by shard. Answered shards are kept on disk, so that a failed probe resumes there."""

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
"""Samples in the first shard, which tells the pace: few, so that a slow model keeps within its time limit."""
SHARD_S = 30.0
SHARD_BYTES = 64 << 20


def silent(words: str) -> None:
    """Ignore the words: no progress is reported."""


@dataclass(frozen=True)
class Shards:
    """Rule for cutting a set: about `seconds` per shard at the pace of those before it, at most `bytes` of input."""

    keep: Path | None = None
    """Folder that keeps the shards until the set is complete; for this endpoint and these samples alone."""
    tell: Callable[[str], None] = silent
    first: int = FIRST
    seconds: float = SHARD_S
    bytes: int = SHARD_BYTES
    held: bool = False
    """True if the shards of a complete set are kept, too: whoever holds them removes them, after several sets."""

    def of(self, *identity: object) -> Shards:
        """Derive shards with a folder of their own, named by the digest of `identity` (endpoint, model, samples)."""
        return replace(self, keep=self.keep / digest_of(list(map(str, identity)))) if self.keep else self


def shards_in(cache: Cache, tell: Callable[[str], None]) -> Shards:
    """Make a rule that keeps shards in the user's cache."""
    return Shards(cache.root / "probes", tell)


def answer_in_shards(
    samples: Samples, ask: Callable[[Samples], Outputs], shards: Shards
) -> tuple[dict[str, Array], float | None]:
    """Answer `samples` by calls of `ask`, and give every output, [N, …] by name, and the samples answered per second.

    `ask` is called with stretches of `samples` in order. Its errors pass through with a note on the shards that are
    kept; the next call with the same `keep` asks only for the rest. The pace is None if all answers were kept from
    an earlier call. Raises StorageError.
    """
    run = _Run(samples, shards, dict(_kept(shards.keep)))
    try:
        run.to_the_end(ask)
    except EdgekitError as error:
        if shards.keep and run.done:
            error.add_note(f"{run.done:,} of {len(samples):,} samples are kept: the same command goes on from there")
        raise
    if not shards.held:
        _forget(shards.keep)
    return run.outputs(), run.pace


@dataclass
class _Run:
    samples: Samples
    shards: Shards
    parts: dict[int, Outputs]
    """Answered shards by the index of their first sample."""
    done: int = 0
    pace: float | None = None
    """Samples per second; None until some are answered."""
    _spent: float = 0.0
    _answered_count: int = 0

    def to_the_end(self, ask: Callable[[Samples], Outputs]) -> None:
        while self.done < len(self.samples):
            part = self.parts.get(self.done)
            if part is None:
                part = self._answer_next(ask)
            self.done += _length(part)
            rate = f", {self.pace:,.0f} a second" if self.pace else ""
            self.shards.tell(f"{self.done:,} of {len(self.samples):,} samples{rate}")

    def _answer_next(self, ask: Callable[[Samples], Outputs]) -> Outputs:
        count = min(self._size(), len(self.samples) - self.done)
        # A kept shard that lies ahead, from a run cut otherwise, is not asked for again.
        count = min([count, *(start - self.done for start in self.parts if start > self.done)])
        began = time.perf_counter()
        part = ask(self.samples.take(np.arange(self.done, self.done + count)))
        self._spent += time.perf_counter() - began
        self._answered_count += count
        self.pace = self._answered_count / max(self._spent, 1e-9)
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
        """Join the parts that follow each other; two probes at once may have kept some that overlap.

        Rows are counted, so that a damaged cache cannot add any. Raises ProbeError.
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
    """Yield the intact shards that an earlier probe kept, with the index of their first sample."""
    for path in sorted(keep.glob("*.npz")) if keep else ():
        with contextlib.suppress(OSError, ValueError):
            part = read_npz(path, packed=False)
            if part and all(array.ndim and len(array) for array in part.values()):
                yield int(path.stem), part


def _forget(keep: Path | None) -> None:
    """Delete the kept shards file by file: another probe of the same may be at work beside this one."""
    for path in keep.glob("*.npz") if keep else ():
        path.unlink(missing_ok=True)
    if keep:
        with contextlib.suppress(OSError):
            keep.rmdir()


def _form(part: Outputs) -> dict[str, object]:
    """Dtype and shape of a row, by output name."""
    return {name: (array.dtype, array.shape[1:]) for name, array in part.items()}


def _length(part: Outputs) -> int:
    return len(next(iter(part.values())))
