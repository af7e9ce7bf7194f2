"""Layout of signals: where the time and the channels of a recording or a series lie in the samples of an input."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.input_domain import InputDomain
from edgekit.samples import Samples
from edgekit.specs.lengths import FreeSize
from edgekit.specs.project import LENGTHS


@dataclass(frozen=True)
class SignalLayout:
    """Reader and writer of single signals, float64 [C, T]: all channels, and as many steps as the sample has.

    What lies beyond a sample's length is never read, and stays as it is.
    """

    array: Array
    """[N, …], the input of all samples; of a model with state [N, steps, …]."""
    axis: int
    """Axis of one sample that is the time."""
    ends: Array | None = None
    """Length of each sample along the time, int64 [N]; None where all are as long as the array."""
    frames: bool = False
    """True if each step of a model with state holds a frame of the signal, the frames one after the other."""

    @classmethod
    def of(cls, samples: Samples, domain: InputDomain) -> SignalLayout:
        """Layout of a project's input. The time is the last axis of recordings, the first one of series, or stated."""
        array = samples.inputs[domain.name]
        shape = domain.spec.raw_shape
        recordings, last = domain.kind == "recordings", domain.kind in ("recordings", "spectrograms")
        stated = domain.spec.signal.time if domain.spec.signal else None
        if samples.length is not None:
            return cls(array, 0, samples.length, frames=recordings and bool(shape))
        axis = stated if stated is not None else len(shape) - 1 if last else 0
        size = shape[axis]
        free = size.length.name + LENGTHS if isinstance(size, FreeSize) else None
        return cls(array, axis, samples.inputs.get(free) if free else None)

    def __len__(self) -> int:
        return len(self.array)

    def signal(self, i: int) -> Array:
        """Signal of sample i as it is stored, float64 [C, T]."""
        part = self._part(i)
        if self.frames:
            return np.asarray(part.reshape(1, -1), np.float64)
        moved = np.moveaxis(part, self.axis, -1)
        return np.asarray(moved.reshape(math.prod(moved.shape[:-1]), moved.shape[-1]), np.float64)

    def with_signals(self, signals: Iterable[tuple[int, Array]]) -> Array:
        """Array with signals, [C, T], in place of those of some samples, each after its number.

        Values that the dtype cannot hold are rounded, and clipped at its limits.
        """
        array = np.array(self.array)
        limits = np.iinfo(array.dtype) if array.dtype.kind in "iu" else np.finfo(array.dtype)
        for i, signal in signals:
            part = self._part(i)
            moved = np.moveaxis(part, self.axis, -1).shape
            values = signal.reshape(part.shape) if self.frames else np.moveaxis(signal.reshape(moved), -1, self.axis)
            values = np.rint(values) if array.dtype.kind in "iu" else values
            row = array[i]
            row[self._inside(i)] = np.clip(values, limits.min, limits.max).astype(array.dtype)
        return array

    def _part(self, i: int) -> Array:
        part: Array = self.array[i][self._inside(i)]
        return part

    def _inside(self, i: int) -> tuple[slice, ...]:
        end = None if self.ends is None else int(self.ends[i])
        return (*(slice(None) for _ in range(self.axis)), slice(end))
