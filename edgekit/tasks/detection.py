"""Detection: boxes with classes and scores, decoded from the outputs, suppressed, and matched to labelled boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, SerializeAsAny, field_validator

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.runner.processing.nms import suppress
from edgekit.specs.inputs import Input
from edgekit.specs.spec import Flag, Real, Whole
from edgekit.tasks.average_precision import RankedMatches, pooled_precision
from edgekit.tasks.box_assignment import box_agreement, matched
from edgekit.tasks.box_labels import box_labels
from edgekit.tasks.boxes import BoxFormat
from edgekit.tasks.confusion import f1
from edgekit.tasks.constant_boxes import constant_precision
from edgekit.tasks.decoders.decoder import BoxDecoder, Candidates
from edgekit.tasks.decoders.registry import decoder_of
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.picture_size import check_picture_size
from edgekit.tasks.task import Answers, Outputs, TaskSpec, class_text, joined

Share = Annotated[Real, Field(ge=0, le=1)]
COCO_OVERLAPS = np.linspace(0.5, 0.95, 10)
NAMES = {"map50": "mAP@50", "map": "mAP@50:95", "f1": "F1"}
BATCH = 16
"""Samples decoded at once: a thousand boxes of eighty classes are 0.6 MB a sample."""
MOST = 1000
"""Boxes of a sample that suppression looks at, those with the highest scores."""
SHOWN = 5


class Detection(TaskSpec):
    """Task `detection`: labels are boxes [M, 5] of class, x1, y1, x2, y2; outputs are read by a decoder."""

    # One box of five that comes or goes changes the F1 of its picture by 0.11; two boxes of one picture by 0.2 or more.
    flip_margin = 0.2

    metric_name: Literal["map50", "map", "f1"] = Field(default="map50", alias="metric")
    """Mean average precision at an overlap of 0.5, the mean over overlaps of 0.5 to 0.95 (COCO), or F1 of the boxes
    whose score reaches `threshold`."""
    size: tuple[Annotated[Whole, Field(gt=0)], Annotated[Whole, Field(gt=0)]]
    """Height and width of the model's input in pixels, in which boxes are."""
    decoder: SerializeAsAny[BoxDecoder]
    """A kind of decoder, or a table of kind and options."""
    box_format: BoxFormat = "xyxy"
    """Format of labels, after the class."""
    normalised: Flag = False
    """Labels are shares of the width and height."""
    min_score: Share = 0.05
    """Score from which a box is an answer at all: average precisions rank these."""
    threshold: Share = 0.5
    """Score from which a box is shown, counts for an F1, and must be matched by the other endpoint."""
    score_tolerance: Share = 0.1
    """A box agrees with one whose score is this much below the threshold."""
    nms_iou: Share = 0.5
    """Overlap above which the box with the smaller score goes; 1 where the graph suppresses boxes itself."""
    agnostic: Flag = False
    """Boxes of different classes suppress each other."""
    multi_label: Flag = False
    """A box counts for each of its classes that reaches `min_score`, not for the best alone."""
    max_boxes: Whole = Field(default=100, ge=1)
    """Largest number of answers to a sample."""
    iou: Annotated[Real, Field(gt=0, le=1)] = 0.5
    """Overlap at which a box is right, for an F1."""
    agree_iou: Annotated[Real, Field(gt=0, le=1)] = 0.5
    """Overlap at which two endpoints agree on a box."""

    @field_validator("decoder", mode="before")
    @classmethod
    def _kind(cls, stated: Any) -> BoxDecoder:
        return decoder_of(stated)

    @property
    def metric(self) -> Metric:
        name = NAMES[self.metric_name]
        return Metric(f"{name}@{100 * self.iou:g}" if self.metric_name == "f1" else name)

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Boxes float64 [N, M, 5] of class, x1, y1, x2, y2; NaN where a sample has fewer. Raises DataError."""
        return box_labels(labels, classes, self.size, self.box_format, self.normalised)

    def check_inputs(self, inputs: Mapping[str, Input]) -> None:
        check_picture_size(self.size, inputs)

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the decoder cannot read the outputs, or labels are of classes that they do not have."""
        one = self.decoder.decode({name: array[:1] for name, array in outputs.items()}, self.size)
        if labels is None:
            return
        if labels.ndim != 3 or labels.shape[2] != 5:
            raise DataError(
                f"labels are {list(labels.shape)}, boxes are [samples, boxes, 5]",
                hint="the label of a sample is a list of boxes, each of class, x1, y1, x2, y2",
            )
        largest = np.nanmax(labels[..., 0], initial=-1)
        if one.classes is None and largest >= one.scores.shape[2]:
            raise DataError(
                f"a label is of class {largest:g}, the outputs have scores of {one.scores.shape[2]} classes",
                hint="classes count from 0, without the background; [task.decoder] background is the column of that",
            )

    def class_count(self, outputs: Outputs) -> int | None:
        """Number of the classes that boxes have scores of; None where an output holds the class of each box."""
        one = self.decoder.decode({name: array[:1] for name, array in outputs.items()}, self.size)
        return one.scores.shape[2] if one.classes is None else None

    def answers(self, outputs: Outputs) -> list[Array]:
        """Boxes float64 [K, 6] of each sample: x1, y1, x2, y2, score, class, by falling score."""
        count = len(next(iter(outputs.values())))
        boxes: list[Array] = []
        for start in range(0, count, BATCH):
            part = {name: array[start : start + BATCH] for name, array in outputs.items()}
            batch = self.decoder.decode(part, self.size)
            boxes += [self._detections(batch, i) for i in range(len(batch.boxes))]
        return boxes

    def score(self, answers: Answers, labels: Array) -> Scores:
        """F1 of each sample, by boxes whose score reaches `threshold`; the metric is over all answers."""
        objects = [rows[~np.isnan(rows[:, 0])] for rows in labels]
        counts = np.array([self._counts(*pair) for pair in zip(answers, objects, strict=True)])
        each = f1(*counts.T)
        if self.metric_name == "f1":
            return Scores(each, lambda indices: float(f1(*counts[indices].sum(axis=0))))
        overlaps = COCO_OVERLAPS if self.metric_name == "map" else COCO_OVERLAPS[:1]
        return Scores(each, pooled_precision(_rankings(answers, objects, overlaps), len(objects)))

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """Share of the boxes of both that the other one has, too; 1 where neither has a box."""
        limits = self.agree_iou, self.threshold, self.score_tolerance
        return np.array([box_agreement(one, other, *limits) for one, other in zip(reference, candidate, strict=True)])

    def distinct(self, answers: Answers) -> int:
        """Number of different answers: of boxes that reach `threshold`, to the pixel."""
        return len({np.rint(rows[rows[:, 4] >= self.threshold][:, [0, 1, 2, 3, 5]]).tobytes() for rows in answers})

    def chance(self, labels: Array) -> float | None:
        """Metric of answering every sample by one constant box of each class; None for an F1 and for no label."""
        return None if self.metric_name == "f1" else constant_precision(labels, COCO_OVERLAPS[0])

    def show(self, answers: Answers, i: int, classes: Sequence[str] = ()) -> str:
        rows = answers[i][answers[i][:, 4] >= self.threshold]
        return _text([f"{class_text(int(row[5]), classes)} {row[4]:.2f}" for row in rows], rows)

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        rows = labels[i][~np.isnan(labels[i][:, 0])]
        return _text([class_text(int(row[0]), classes) for row in rows], rows[:, 1:])

    def _detections(self, batch: Candidates, i: int) -> Array:
        """Boxes [K, 6] of sample i of a batch."""
        scores = batch.scores[i]
        if self.multi_label and batch.classes is None:
            rows, columns = np.nonzero(scores >= self.min_score)
        else:
            columns = scores.argmax(axis=1)
            rows = np.flatnonzero(scores[np.arange(len(scores)), columns] >= self.min_score)
            columns = columns[rows]
        values = scores[rows, columns]
        best = np.argsort(-values, kind="stable")[:MOST]
        rows, columns, values = rows[best], columns[best], values[best]
        height, width = self.size
        boxes = np.clip(batch.boxes[i, rows], 0, np.array([width, height, width, height]))
        classes = columns if batch.classes is None else batch.classes[i, rows, 0]
        order = suppress(boxes, values, classes, self.nms_iou, self.max_boxes, self.agnostic)
        return np.column_stack([boxes[order], values[order], classes[order]])

    def _counts(self, boxes: Array, objects: Array) -> tuple[int, int, int]:
        """True positives, false positives and false negatives of one sample."""
        firm = boxes[boxes[:, 4] >= self.threshold]
        hits = matched(firm[:, :4], firm[:, 5], objects[:, 1:], objects[:, 0], np.array([self.iou]))
        right = int(hits.sum())
        return right, len(firm) - right, len(objects) - right


def _rankings(answers: Sequence[Array], objects: Sequence[Array], overlaps: Array) -> list[RankedMatches]:
    """Match the answers once for each overlap, so that the metric of any resample is quick."""
    samples = np.repeat(np.arange(len(answers)), [len(rows) for rows in answers])
    rows = np.concatenate(answers)
    classes = rows[:, 5].astype(np.int64)
    labels = np.concatenate([own[:, 0] for own in objects]).astype(np.int64)
    owners = np.repeat(np.arange(len(objects)), [len(own) for own in objects])
    counts = np.zeros((len(objects), int(max(classes.max(initial=0), labels.max(initial=0))) + 1), np.int64)
    np.add.at(counts, (owners, labels), 1)
    pairs = zip(answers, objects, strict=True)
    hits = [matched(one[:, :4], one[:, 5], own[:, 1:], own[:, 0], overlaps) for one, own in pairs]
    return [RankedMatches(samples, classes, rows[:, 4], flags, counts) for flags in np.concatenate(hits, axis=1)]


def _text(names: Sequence[str], boxes: Array) -> str:
    """Text such as `2 boxes: cat 0.91 at 12,30,80,96; dog 0.55 at 3,4,50,60`."""
    if not names:
        return "no box"
    parts = [
        f"{name} at {','.join(f'{value:.0f}' for value in box[:4])}" for name, box in zip(names, boxes, strict=True)
    ]
    number = "1 box" if len(names) == 1 else f"{len(names)} boxes"
    return f"{number}: {joined(parts, SHOWN, '; ')}"
