"""Early stopping: the order in which a device is asked, and the evidence on what it answered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from edgekit.measure.shards import Shards, answer_in_shards
from edgekit.pipeline import early_stopping
from edgekit.pipeline.early_stopping import EarlyStopping
from edgekit.pipeline.evidence import Evidence
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.sample_order import SampleOrder
from edgekit.samples import Samples, Sampling
from edgekit.specs.profile import Gates
from edgekit.tasks.classification import Classification
from tests.parity.examples import pair


def test_a_device_is_asked_a_part_in_random_order_and_compared_in_the_order_of_the_set(monkeypatch: Any) -> None:
    monkeypatch.setattr(early_stopping, "task_of", lambda project: Classification())
    reference, candidate = pair(4000, 4, 0)
    samples = Samples({"x": np.arange(4000)}, reference.labels)
    gates = Gates.model_validate({"accuracy_drop": {"max": 0.01, "confidence": 0.95}})
    request = cast(BuildRequest, SimpleNamespace(project=None, profile=SimpleNamespace(gates=gates)))
    stopping = EarlyStopping(SampleOrder(samples), reference, request)
    (output,) = candidate.outputs

    def ask(part: Samples) -> dict[str, Any]:
        return {output: candidate.outputs[output][part.inputs["x"]]}

    outputs, _ = answer_in_shards(stopping.order.samples, ask, Shards(looks=stopping.looks))
    asked = len(outputs[output])
    assert asked < 4000 / 2
    order = stopping.order.samples.inputs["x"][:asked]
    assert (np.diff(order) < 0).any()
    probed = candidate.take(order, "of the device")
    whole = Evidence(reference, probed, Sampling(4000, 9000, True), host=candidate, samples=samples)
    evidence = stopping.of_answered(whole)
    places = np.sort(order)
    assert evidence.samples is not None
    assert evidence.samples.inputs["x"].tolist() == places.tolist()
    for measured in (evidence.candidate, evidence.host):
        assert measured is not None
        np.testing.assert_array_equal(measured.outputs[output], candidate.outputs[output][places])
        assert measured.samples_digest == evidence.reference.samples_digest == evidence.samples.digest
    assert evidence.sampling == Sampling(asked, 9000, True)
    assert evidence.early_stop is not None
    assert (evidence.early_stop.asked, evidence.early_stop.of) == (asked, 4000)
    assert "decide every gate" in evidence.early_stop.reason
