"""Audio events: any number of classes a clip, or at every frame of it. Takes the first output, scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Real, Whole
from edgekit.tasks.class_scores import ClassScores
from edgekit.tasks.confusion import f1
from edgekit.tasks.flags import collect_flags, flag_names, jaccard
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.roc import RocCurve, drawn_counts
from edgekit.tasks.task import Answers, ClassTaskSpec, Outputs, first_output

EVENTS = "a clip is labelled with 0 or 1 for each class, [0, 1, 0]; or with one such row a frame, [frames, classes]"


class AudioEvents(ClassTaskSpec):
    """Task `audio-events`: first output scores [N, classes] of clips, or [N, frames, classes]; labels 0 or 1."""

    flip_margin: ClassVar[float] = 0.05
    also: ClassVar[tuple[str, ...]] = ("map", "segment-f1")
    metric_name: Literal["map", "segment-f1"] = Field(default="map", alias="metric")
    """Mean over the classes of the average precision of clips, of which a frame-level score is the largest; or F1 of
    the classes of all segments together."""
    threshold: Real = 0.0
    """Score from which an event is there: 0 for logits, 0.5 where the network ends in a sigmoid."""
    segment: Whole = Field(default=1, ge=1)
    """Frames of a segment, in which an event is there if it is in one of them (Mesaros et al. 2016)."""

    @property
    def metric(self) -> Metric:
        return Metric(self.metric_name)

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Stack flags, uint8 [N, classes] or [N, frames, classes]. Raises DataError."""
        return collect_flags(labels, (2, 3), classes, EVENTS).astype(np.uint8)

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the first output is no scores of clips or frames, or labels have another shape."""
        name, scores = first_output(outputs)
        if scores.ndim not in (2, 3):
            raise DataError(
                f"output '{name}' has shape {list(scores.shape)}, audio events need [samples, classes] or [samples, "
                "frames, classes]",
                hint="the scores of the classes must be the model's first output",
            )
        if labels is not None and labels.shape not in (scores.shape, (scores.shape[0], scores.shape[-1])):
            raise DataError(f"labels are {list(labels.shape)}, output '{name}' is {list(scores.shape)}", hint=EVENTS)

    def class_scores(self, outputs: Outputs, labels: Array | None) -> ClassScores:
        """Scores of a yes or no for each class, at each frame that has labels; else of whole clips."""
        scores = self.answers(outputs)
        if labels is None or labels.ndim == 2:
            scores = scores.max(axis=1, keepdims=True)
        flat = scores.reshape(-1, scores.shape[2])
        truth = None if labels is None else labels.reshape(-1, labels.shape[-1]) > 0
        form = self.scores or ("probabilities" if self.threshold > 0 else None)
        sample = np.repeat(np.arange(len(scores)), scores.shape[1])
        return ClassScores(flat, truth, sample, several=True, form=form)

    def answers(self, outputs: Outputs) -> Array:
        """Scores [N, frames, classes]; one frame where they are of clips."""
        scores = first_output(outputs)[1]
        return scores if scores.ndim == 3 else scores[:, None]

    def score(self, answers: Answers, labels: Array) -> Scores:
        """F1 of each clip's events over its segments; the metric is of all clips together."""
        flags = labels if labels.ndim == 3 else labels[:, None]
        frames = answers if labels.ndim == 3 else answers.max(axis=1, keepdims=True)
        ours, truth = self._segments(frames >= self.threshold), self._segments(flags > 0)
        counts = np.stack([(kind).sum(axis=(1, 2)) for kind in (ours & truth, ours & ~truth, ~ours & truth)])
        each = f1(*counts)
        if self.metric_name == "segment-f1":
            return Scores(each, lambda indices: float(f1(*counts[:, indices].sum(axis=1))))
        return Scores(each, _mean_average_precision(answers.max(axis=1), flags.max(axis=1) > 0))

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """Jaccard index of the events of both endpoints, over the segments of each clip: 1 where both have none."""
        return jaccard(*(self._segments(scores >= self.threshold) for scores in (reference, candidate)))

    def chance(self, labels: Array) -> float | None:
        """Metric of one score for all clips: mean share of clips that a class is in; or F1 of all classes always."""
        if self.metric_name == "segment-f1":
            share = self._segments((labels if labels.ndim == 3 else labels[:, None]) > 0).mean()
            return float(2 * share / (1 + share))
        shares = (labels.max(axis=1) if labels.ndim == 3 else labels).mean(axis=0)
        return float(shares[shares > 0].mean()) if shares.any() else None

    def show(self, answers: Answers, i: int, classes: Sequence[str] = ()) -> str:
        return flag_names((answers[i] >= self.threshold).any(axis=0), classes, "no event")

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        return flag_names(labels[i].reshape(-1, labels.shape[-1]).any(axis=0), classes, "no event")

    def _segments(self, flags: Array) -> Array:
        """Flags bool [N, segments, classes] of flags [N, frames, classes]."""
        starts = np.arange(0, flags.shape[1], self.segment)
        return np.asarray(np.logical_or.reduceat(flags, starts, axis=1))


def _mean_average_precision(scores: Array, truth: Array) -> Callable[[Array], float]:
    """Mean of the average precision of the classes that occur among the samples at some indices."""
    curves = [RocCurve(scores[:, k], truth[:, k]) for k in range(truth.shape[1])]

    def pooled(indices: Array) -> float:
        drawn = drawn_counts(indices, len(truth))
        occurs = np.asarray((drawn[:, None] * truth).any(axis=0))
        values = [curve.average_precision(drawn) for curve, one in zip(curves, occurs, strict=True) if one]
        return float(np.mean(values)) if values else 0.0

    return pooled
