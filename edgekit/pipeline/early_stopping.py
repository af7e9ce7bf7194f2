"""Early stopping: the samples in random order, and the looks that end a measurement once its gates are decided."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from edgekit.ir.measurement import Array, Measurement
from edgekit.measure.shards import AnswerLooks, Outputs
from edgekit.parity.early_stop import EarlyStop
from edgekit.parity.look import decided
from edgekit.parity.statistics.sequential import look_counts
from edgekit.pipeline.evidence import Evidence
from edgekit.pipeline.request import BuildRequest
from edgekit.samples import Samples
from edgekit.stratification import random_order
from edgekit.tasks.registry import task_of


@dataclass(frozen=True)
class EarlyStopping:
    """Samples, and the reference's answers to all of them, that decide when a device need answer no more."""

    whole: Samples
    reference: Measurement
    request: BuildRequest

    @cached_property
    def samples(self) -> Samples:
        """Samples in the order in which they are asked: random with a fixed seed, each class with its share."""
        return self.whole.take(self._order)

    @property
    def looks(self) -> AnswerLooks:
        """Looks at the device's answers."""
        return AnswerLooks(self._counts, self._enough)

    def of_answered(self, evidence: Evidence) -> Evidence:
        """Evidence on the answered samples alone, in the order of the data set."""
        count = len(evidence.candidate)
        by_place = np.argsort(self._order[:count])
        chosen = self._order[by_place]
        samples = self.whole.take(chosen)
        digest, sampling = samples.digest, evidence.sampling
        return replace(
            evidence,
            reference=evidence.reference.take(chosen, digest),
            candidate=evidence.candidate.take(by_place, digest),
            host=evidence.host.take(chosen, digest) if evidence.host else None,
            samples=samples,
            sampling=replace(sampling, taken=count) if sampling else None,
            early_stop=EarlyStop(asked=count, of=len(self.whole), looks=self._counts, reason=self._reason(count)),
        )

    @cached_property
    def _order(self) -> Array:
        labels = self.whole.labels
        classes = labels if labels.ndim == 1 and labels.dtype.kind in "iu" else None
        return random_order(len(self.whole), classes, self.whole.groups)

    @property
    def _counts(self) -> tuple[int, ...]:
        return look_counts(len(self.whole))

    def _enough(self, outputs: Outputs) -> bool:
        count = len(next(iter(outputs.values())))
        chosen = self._order[:count]
        stop = EarlyStop(asked=count, of=len(self.whole), looks=self._counts, reason="")
        reference = self.reference.take(chosen, "")
        return decided(reference, outputs, task_of(self.request.project), self.request.profile.gates, stop)

    def _reason(self, count: int) -> str:
        if count < len(self.whole):
            return "they decide every gate on answers, at the stated confidence over all looks together"
        return "no look before decided every gate on answers"
