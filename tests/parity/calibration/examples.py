"""Class scores of a network that is right as often as it says, and of ones that are not."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array, Measurement, Validity, no_latency
from edgekit.tasks.class_scores import ClassScores, whole_samples
from tests.parity.examples import environment

CLASSES = 10


def truthful(count: int, seed: int = 1) -> tuple[Array, Array]:
    """Logits float32 [count, 10] and labels that are drawn by their softmax: there is no calibration error."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, CLASSES)) * 2.5
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    drawn = (shares / shares.sum(axis=1, keepdims=True)).cumsum(axis=1) < rng.random((count, 1))
    return logits.astype(np.float32), drawn.sum(axis=1).clip(0, CLASSES - 1)


def scores(logits: Array, labels: Array | None = None) -> ClassScores:
    return ClassScores(logits, labels, whole_samples(logits))


def measured(logits: Array, labels: Array) -> Measurement:
    """Measurement of a classifier that gave these scores."""
    return Measurement(
        outputs={"output": logits},
        labels=labels,
        samples_digest="ab" * 32,
        latency_ns=no_latency(),
        load_ns=1,
        first_ns=1,
        peak_rss_bytes=None,
        environment=environment(),
        validity=Validity(True),
    )
