"""Early stopping: looks at answers that end a measurement once its gates are decided."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgekit.ir.measurement import Measurement
from edgekit.measure.shards import AnswerLooks, Outputs
from edgekit.parity.look import decided
from edgekit.pipeline.evidence import Evidence
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.sample_order import SampleOrder
from edgekit.tasks.registry import task_of


@dataclass(frozen=True)
class EarlyStopping:
    """Samples, and the reference's answers to all of them, that decide when a device need answer no more."""

    order: SampleOrder
    reference: Measurement
    request: BuildRequest

    @property
    def looks(self) -> AnswerLooks:
        """Looks at the device's answers."""
        return AnswerLooks(self.order.look_counts, self._enough)

    def of_answered(self, evidence: Evidence) -> Evidence:
        """Evidence on the answered samples alone, in the order of the data set."""
        count = len(evidence.candidate)
        by_place = np.argsort(self.order.indices[:count])
        chosen = self.order.indices[by_place]
        samples = self.order.whole.take(chosen)
        digest, sampling = samples.digest, evidence.sampling
        return replace(
            evidence,
            reference=evidence.reference.take(chosen, digest),
            candidate=evidence.candidate.take(by_place, digest),
            host=evidence.host.take(chosen, digest) if evidence.host else None,
            samples=samples,
            sampling=replace(sampling, taken=count) if sampling else None,
            early_stop=self.order.stop(count, self._reason(count)),
        )

    def _enough(self, outputs: Outputs) -> bool:
        count = len(next(iter(outputs.values())))
        stop = self.order.stop(count, reason="")
        reference = self.reference.take(self.order.indices[:count], "")
        return decided(reference, outputs, task_of(self.request.project), self.request.profile.gates, stop)

    def _reason(self, count: int) -> str:
        if count < len(self.order.whole):
            return "they decide every gate on answers, at the stated confidence over all looks together"
        return "no look before decided every gate on answers"
