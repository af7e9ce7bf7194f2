"""Windows of the small model as a device would have them, quiet and shifted."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgekit.devices.windows import AnswerCounts, TimeCounts
from edgekit.ir.measurement import Array
from edgekit.runner.counts.bins import FrozenBins
from edgekit.runner.counts.exponential_histogram import ExponentialHistogram
from edgekit.runner.counts.window import AnswerWindow

HEAD = {"schema": 1, "bundle": "a" * 64, "seconds": 900.0, "open": False, "pid": 1, "boot": "", "lost_rows": 0}


def answer_window(
    bins: FrozenBins, scores: Array, inputs: list[Array], number: int = 1, **changes: Any
) -> AnswerCounts:
    window = AnswerWindow(bins, 1)
    window.add_scores(scores)
    window.add_inputs(inputs)
    label = {"kind": "answers", "bins": "b" * 64, "number": number, "begun": 900 * number}
    return AnswerCounts.model_validate({**HEAD, **label, **window.document(), **changes})


def time_window(latencies_ms: Array, failed: int = 0, number: int = 1) -> TimeCounts:
    histogram = ExponentialHistogram()
    for value in latencies_ms:
        histogram.add(int(1e6 * value))
    label = {"kind": "times", "bins": None, "number": number, "begun": 900 * number}
    times = {"latency_ns": histogram.document(), "queue_ns": histogram.document()}
    rows = {"rows": len(latencies_ms) + failed, "failed": failed, "refused": 0}
    return TimeCounts.model_validate({**HEAD, **label, **times, **rows})


def classified(count: int, sure: float, seed: int) -> tuple[Array, Array]:
    """Scores [count, 4] of a calibrated classifier, and labels: `sure` scales how far apart they are."""
    rng = np.random.default_rng(seed)
    scores = sure * rng.normal(size=(count, 4))
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    labels = (shares.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    return scores, labels
