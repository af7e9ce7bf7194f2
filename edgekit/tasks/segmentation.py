"""Semantic segmentation: a class for every pixel. Takes the first output, scores or classes of the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Flag, Real, Whole
from edgekit.tasks.boundary import boundary_f
from edgekit.tasks.class_scores import ClassScores
from edgekit.tasks.confusion import f1
from edgekit.tasks.label_arrays import check_range
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.task import Answers, ClassTaskSpec, Outputs, class_text, first_output

MASKS = "a sample is labelled with a mask, int [height, width]: the class of every pixel, 0 for the first"
SPREAD = 64
"""Pixels of a picture whose scores are looked at for calibration, spread over it: neighbours say the same."""
MOST = 65536
"""Largest number of classes of an output that holds them as integers."""
SIZES = "masks have the size of the network's output; resize masks with nearest neighbours, or the scores in the model"


class Segmentation(ClassTaskSpec):
    """Task `segmentation`: labels are masks int [N, H, W], one class a pixel.

    The first output is scores [N, classes, H, W]; or [N, 1, H, W] and [N, H, W] with a `threshold`, for two classes; or
    the classes themselves, int [N, H, W].
    """

    flip_margin: ClassVar[float] = 0.05
    also: ClassVar[tuple[str, ...]] = ("miou", "dice")
    metric_name: Literal["miou", "dice", "boundary-f"] = Field(default="miou", alias="metric")
    """`miou` and `dice` are means over the classes, of the areas in all samples together; `boundary-f` is a mean over
    samples of the mean over their classes."""
    channels: Literal["first", "last"] = "first"
    """Place of the classes among the axes: [N, classes, H, W], or [N, H, W, classes]."""
    threshold: Real = 0.0
    """Score from which a pixel is of class 1, where there is one score a pixel: 0 for logits, 0.5 after a sigmoid."""
    ignore: Whole | None = None
    """Value of pixels in masks that do not count, such as 255."""
    background: Flag = True
    """Class 0 is one of the classes of the mean."""
    radius: Whole = Field(default=2, ge=0)
    """Distance in pixels within which boundaries match: the larger one of rows and columns."""

    @property
    def metric(self) -> Metric:
        return Metric(self.metric_name)

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Stack masks, uint8 [N, H, W], or int32 where values need it. Raises DataError."""
        masks = [np.asarray(label) for label in labels]
        for i, mask in enumerate(masks):
            if mask.dtype.kind not in "iub" or mask.ndim != 2:
                raise DataError(
                    f"label of sample {i} is {mask.dtype} {list(mask.shape)}, segmentation needs a mask", hint=MASKS
                )
            if mask.shape != masks[0].shape:
                raise DataError(
                    f"mask of sample {i} is {list(mask.shape)}, that of sample 0 {list(masks[0].shape)}", hint=SIZES
                )
        small = all(mask.size and mask.min() >= 0 and mask.max() <= 255 for mask in masks)
        array = np.stack(masks).astype(np.uint8 if small else np.int32)
        if classes:
            self._check_range(array, max(classes, 2), MASKS)
        return array

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the first output holds no pixels, or masks have another size or classes."""
        name, scores = first_output(outputs)
        whole = scores.dtype.kind in "iu"
        if scores.ndim != 3 and (scores.ndim != 4 or whole):
            form = (
                "[samples, height, width, classes]" if self.channels == "last" else "[samples, classes, height, width]"
            )
            raise DataError(
                f"output '{name}' is {scores.dtype} {list(scores.shape)}, segmentation needs scores {form}, or classes "
                "int [samples, height, width]",
                hint="the scores of the pixels must be the model's first output; their order: [task] channels",
            )
        if whole and not 0 <= int(scores.min()) <= int(scores.max()) < MOST:
            raise DataError(
                f"output '{name}' holds {scores.min()} to {scores.max()}, which are no classes",
                hint=f"an output of integers holds the class of every pixel, from 0 to {MOST - 1}",
            )
        if labels is None:
            return
        size = self._last(scores).shape[1:3]
        if labels.ndim != 3 or labels.dtype.kind not in "iu" or labels.shape[1:] != size:
            raise DataError(
                f"masks are {labels.dtype} {list(labels.shape[1:])}, output '{name}' is {list(size)}",
                hint=SIZES,
            )
        if not whole:
            count = max(self._last(scores).shape[3:] or (2,))
            self._check_range(
                labels, max(count, 2), f"output '{name}' scores {count} classes; [task] ignore leaves out"
            )

    def class_scores(self, outputs: Outputs, labels: Array | None) -> ClassScores | None:
        """Scores of SPREAD pixels of each picture; None where the output holds classes, or one score a pixel."""
        scores = first_output(outputs)[1]
        pixels = self._last(scores)
        if scores.dtype.kind in "iu" or pixels.ndim == 3 or pixels.shape[3] == 1:
            return None
        count = pixels.shape[1] * pixels.shape[2]
        places = np.linspace(0, count - 1, min(SPREAD, count)).astype(np.int64)
        values = np.stack([sample.reshape(count, -1)[places] for sample in pixels])
        counted = np.ones(values.shape[:2], bool)
        truth = None if labels is None else labels.reshape(len(labels), -1)[:, places]
        if truth is not None and self.ignore is not None:
            counted = truth != self.ignore
        right = None if truth is None else truth[counted].astype(np.int64)
        return ClassScores(values[counted], right, np.nonzero(counted)[0], form=self.scores)

    def answers(self, outputs: Outputs) -> Array:
        """Classes of the pixels, uint8 or int32 [N, H, W]: the largest score, the first of equals."""
        scores = first_output(outputs)[1]
        if scores.dtype.kind in "iu":
            return scores.astype(np.int32)
        pixels = self._last(scores)
        if pixels.ndim == 3 or pixels.shape[3] == 1:
            return np.greater_equal(pixels.reshape(pixels.shape[:3]), self.threshold).astype(np.uint8)
        dtype = np.uint8 if pixels.shape[3] <= 256 else np.int32
        return np.stack([np.argmax(sample, axis=-1).astype(dtype) for sample in pixels])

    def score(self, answers: Answers, labels: Array) -> Scores:
        """Metric of each sample alone; `miou` and `dice` are of summed areas, `boundary-f` is a mean."""
        if self.metric_name == "boundary-f":
            return Scores(np.array([self._boundary(*pair) for pair in zip(answers, labels, strict=True)]))
        areas = self._areas(answers, labels)
        each = np.array([self._of_areas(areas[:, i]) for i in range(len(labels))])
        return Scores(each, lambda indices: self._of_areas(areas[:, indices].sum(axis=1)))

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """Share of the pixels of each sample that are of the same class."""
        return np.asarray((reference == candidate).reshape(len(reference), -1).mean(axis=1))

    def chance(self, labels: Array) -> float | None:
        """Metric of a constant mask: of the most frequent class."""
        counted = labels if self.ignore is None else labels[labels != self.ignore]
        counted = counted if self.background else counted[counted > 0]
        values, counts = np.unique(counted, return_counts=True)
        return self.score(np.full(labels.shape, values[counts.argmax()]), labels).value if len(values) else None

    def show(self, answers: Answers, i: int, classes: Sequence[str] = ()) -> str:
        return _shares(answers[i], classes)

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        return _shares(labels[i] if self.ignore is None else labels[i][labels[i] != self.ignore], classes)

    def _last(self, scores: Array) -> Array:
        """View of scores with the classes on the last axis, if they have an axis."""
        return np.moveaxis(scores, 1, -1) if scores.ndim == 4 and self.channels == "first" else scores

    def _check_range(self, masks: Array, count: int, hint: str) -> None:
        if masks.max(initial=0) < count and masks.min(initial=0) >= 0:
            return
        check_range(self._counted(masks), count, hint)

    def _areas(self, answers: Array, labels: Array) -> Array:
        """Areas int64 [3, N, classes], in pixels: of both together, of the answers, and of the labels."""
        classes = 1 + max(int(answers.max()), int(self._counted(labels).max()))
        areas = np.zeros((3, len(labels), classes), np.int64)
        for i, (answer, label) in enumerate(zip(answers, labels, strict=True)):
            if self.ignore is not None:
                answer, label = answer[label != self.ignore], label[label != self.ignore]
            for row, pixels in enumerate((label[answer == label], answer, label)):
                areas[row, i] = np.bincount(pixels.ravel(), minlength=classes)
        return areas

    def _counted(self, labels: Array) -> Array:
        """Labels with 0 in place of the value to ignore."""
        return labels if self.ignore is None else np.where(labels == self.ignore, 0, labels)

    def _of_areas(self, areas: Array) -> float:
        """Mean over the classes that occur of areas [3, classes]; 1 where none occurs."""
        both, answer, label = areas if self.background else areas[:, 1:]
        occurs = answer + label > 0
        if not occurs.any():
            return 1.0
        if self.metric_name == "dice":
            return float(f1(both, answer - both, label - both)[occurs].mean())
        return float((both[occurs] / (answer + label - both)[occurs]).mean())

    def _boundary(self, answer: Array, label: Array) -> float:
        """Mean boundary F of the classes of one sample. Pixels that do not count are filled with the answer."""
        valid = np.ones(label.shape, bool) if self.ignore is None else label != self.ignore
        truth = np.where(valid, label, answer)
        classes = np.union1d(answer[valid], truth[valid])
        classes = classes if self.background else classes[classes > 0]
        scores = [boundary_f(answer == one, truth == one, self.radius, valid) for one in classes]
        return float(np.mean(scores)) if scores else 1.0


def _shares(mask: Array, classes: Sequence[str]) -> str:
    """Text of the three classes with the largest areas of a mask, each with its share."""
    values, counts = np.unique(mask, return_counts=True)
    largest = np.argsort(-counts, kind="stable")[:3]
    return ", ".join(f"{class_text(int(values[k]), classes)} {100 * counts[k] / mask.size:.1f} %" for k in largest)
