"""Drift over time: error of a candidate with state against its reference, step after step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.ir.record import Record
from edgekit.ir.sqnr import sqnr_db
from edgekit.tasks.label_arrays import is_labelled
from edgekit.tasks.task_over_time import TaskOverTime, inside

SPANS = 8
"""Number of spans of time. Their ends grow by one factor: an error that doubles with time shows in a few of them."""
GROWN_DB = 6.0
"""Loss of SQNR from the first half of the spans to the last that is called growth: twice the error."""


class DriftSpan(Record):
    """Error in one span of time, over all sequences that are as long."""

    first_step: int
    """First step of the span; steps are counted from 1."""
    last_step: int
    sqnr_db: float | None
    """Signal to quantization noise of the worst output in these steps, in dB; null when infinite."""
    agreement: float
    """Share of the answers in these steps that agree, or their mean agreement."""
    reference: float | None = None
    """Metric of the reference over these steps; left out where steps have no labels."""
    candidate: float | None = None
    """Metric of the candidate over these steps; left out where steps have no labels."""

    @property
    def steps(self) -> str:
        """Text of the span, such as `33 to 75`."""
        return str(self.first_step) if self.first_step == self.last_step else f"{self.first_step} to {self.last_step}"


class Drift(Record):
    """Error over time: whether it grows as the state is passed on."""

    sentence: str
    """The finding for someone who is no engineer."""
    steps: int
    """Steps of the longest sequence."""
    spans: tuple[DriftSpan, ...]


def drift(reference: Mapping[str, Array], candidate: Mapping[str, Array], labels: Array, task: TaskOverTime) -> Drift:
    """Measure the error over time of outputs [N, T, …] by name. labels: as `task` takes them."""
    count = next(iter(reference.values())).shape[1]
    mask = inside(task.length, count)
    scored = task.per_step and is_labelled(labels)
    spans = []
    for first, last in time_spans(count):
        chosen = mask & (np.arange(count) >= first) & (np.arange(count) < last)
        sides = [{name: output[chosen] for name, output in side.items()} for side in (reference, candidate)]
        answers = [task.step.answers(side) for side in sides]
        scores = [task.step.score(answer, labels[chosen]).value for answer in answers if scored]
        quality = min(sqnr_db(output, sides[1][name]) for name, output in sides[0].items())
        spans.append(
            DriftSpan(
                first_step=first + 1,
                last_step=last,
                sqnr_db=quality if math.isfinite(quality) else None,
                agreement=float(task.step.agreement(answers[0], answers[1]).mean()),
                reference=scores[0] if scored else None,
                candidate=scores[1] if scored else None,
            )
        )
    return Drift(sentence=drift_sentence(spans), steps=count, spans=tuple(spans))


def time_spans(count: int) -> Iterator[tuple[int, int]]:
    """Yield the first step of `count`, then up to `SPANS` spans, as half-open ranges whose ends grow by one factor."""
    ends = sorted({math.ceil(count ** (k / SPANS) - 1e-9) for k in range(SPANS + 1)})
    yield from zip([0, *ends], ends, strict=False)


def drift_sentence(spans: list[DriftSpan]) -> str:
    """Sentence on the growth of the error over these spans."""
    early = [span.sqnr_db for span in spans[: (len(spans) + 1) // 2] if span.sqnr_db is not None]
    last = spans[-1]
    if last.sqnr_db is None:
        return "Over time both give the same values."
    end = f"{last.sqnr_db:.1f} dB at steps {last.steps}"
    if early and float(np.median(early)) - last.sqnr_db > GROWN_DB:
        return f"The error grows with time: {float(np.median(early)):.1f} dB in the first steps, {end}."
    return f"The error does not grow with time: {end}."
