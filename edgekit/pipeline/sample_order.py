"""Order in which a device is asked for samples, where looks at its answers may end the measurement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from edgekit.ir.measurement import Array
from edgekit.parity.early_stop import EarlyStop
from edgekit.parity.statistics.sequential import look_counts
from edgekit.samples import Samples
from edgekit.stratification import random_order


@dataclass(frozen=True)
class SampleOrder:
    """Random order of a data set with a fixed seed, in whose beginnings each class has its share."""

    whole: Samples

    @cached_property
    def samples(self) -> Samples:
        """Samples in the order in which they are asked."""
        return self.whole.take(self.indices)

    @cached_property
    def indices(self) -> Array:
        """Index into the data set of each sample in the order, int64 [N]."""
        labels = self.whole.labels
        classes = labels if labels.ndim == 1 and labels.dtype.kind in "iu" else None
        return random_order(len(self.whole), classes, self.whole.groups)

    @property
    def look_counts(self) -> tuple[int, ...]:
        """Numbers of answers after which one looks, ascending; the last is that of all samples."""
        return look_counts(len(self.whole))

    def stop(self, count: int, reason: str) -> EarlyStop:
        """Record of a measurement that ended after `count` samples."""
        return EarlyStop(asked=count, of=len(self.whole), looks=self.look_counts, reason=reason)
