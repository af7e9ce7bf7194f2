"""Several sets of samples measured as one, as an endpoint takes seconds to start, and their measurements apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgekit.ir.measurement import Array, Measurement
from edgekit.measure.shards import SHARD_BYTES
from edgekit.samples import Samples


@dataclass(frozen=True)
class JointSet:
    """Sets of samples of the same shapes, one after another."""

    names: tuple[str, ...]
    parts: tuple[Samples, ...]

    @property
    def samples(self) -> Samples:
        """All samples as one set."""
        first = self.parts[0]
        inputs = {name: np.concatenate([part.inputs[name] for part in self.parts]) for name in first.inputs}
        labels = np.concatenate([part.labels for part in self.parts])
        length = [part.length for part in self.parts if part.length is not None]
        return Samples(inputs, labels, length=np.concatenate(length) if length else None, initial=first.initial)

    def apart(self, measured: Measurement) -> dict[str, Measurement]:
        """Measurement of each set by its name, of a measurement of all samples."""
        ends = np.cumsum([len(part) for part in self.parts])
        return {
            name: replace(
                measured,
                outputs={key: array[end - len(part) : end] for key, array in measured.outputs.items()},
                labels=part.labels,
                samples_digest=part.digest,
                length=part.length,
            )
            for name, part, end in zip(self.names, self.parts, ends, strict=True)
        }


def joint_sets(sets: Iterable[tuple[str, Samples]], most_bytes: int = SHARD_BYTES) -> Iterator[JointSet]:
    """Join consecutive sets of the same shapes, by name, up to `most_bytes` of inputs; a larger set is alone."""
    gathered: list[tuple[str, Samples]] = []
    for name, samples in sets:
        sizes = sum(_bytes(one) for _, one in gathered) + _bytes(samples)
        if gathered and (sizes > most_bytes or _form(gathered[0][1]) != _form(samples)):
            yield _joint(gathered)
            gathered = []
        gathered.append((name, samples))
    if gathered:
        yield _joint(gathered)


def _joint(named: Sequence[tuple[str, Samples]]) -> JointSet:
    return JointSet(tuple(name for name, _ in named), tuple(samples for _, samples in named))


def _bytes(samples: Samples) -> int:
    return sum(array.nbytes for array in samples.inputs.values())


def _form(samples: Samples) -> object:
    """Dtypes and shapes of one sample, and the state that sequences begin with."""
    arrays = {**samples.inputs, "labels": samples.labels}
    initial = sorted((name, array.tobytes()) for name, array in samples.initial.items())
    return {name: _row(array) for name, array in arrays.items()}, samples.length is None, initial


def _row(array: Array) -> tuple[str, tuple[int, ...]]:
    return array.dtype.str, array.shape[1:]
