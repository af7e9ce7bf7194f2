"""Keypoints of one figure a picture, as coordinates or heatmaps; PCK and object keypoint similarity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.inputs import Input
from edgekit.specs.spec import Flag, Real, Whole
from edgekit.tasks.average_precision import RankedMatches, pooled_precision
from edgekit.tasks.label_arrays import stacked
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.picture_size import check_picture_size
from edgekit.tasks.poses import COCO_SIGMAS, from_coordinates, from_heatmaps, similarity, visible_sides
from edgekit.tasks.task import Answers, Outputs, TaskSpec, first_output, joined

Positive = Annotated[Real, Field(gt=0)]
FORM = "a label is a list of keypoints, each of x, y in pixels of the model's input and visibility: 0, 1 or 2"
SIMILARITIES = np.linspace(0.5, 0.95, 10)
SLACK = 0.01
"""Share of the width or height by which a visible keypoint may lie outside the picture."""
SHOWN = 6


class Keypoints(TaskSpec):
    """Task `keypoints`: labels are [K, 3] of x, y, visibility; the first output has K coordinates or K heatmaps."""

    # More than one keypoint of ten that one of the two alone has right.
    flip_margin = 0.1

    metric_name: Literal["pck", "oks", "oks-ap"] = Field(default="pck", alias="metric")
    """Share of visible keypoints within `alpha` of the normaliser (PCK), mean object keypoint similarity, or the
    average precision at similarities of 0.5 to 0.95 (COCO)."""
    size: tuple[Annotated[Whole, Field(gt=0)], Annotated[Whole, Field(gt=0)]]
    """Height and width of the model's input in pixels, in which keypoints are."""
    normalised: Flag = False
    """Coordinates of the output are shares of the width and height. Labels are in pixels."""
    offset: Annotated[Real, Field(ge=0, le=1)] = 0.0
    """Place in a cell of a heatmap that its value stands for: 0 for the corner, 0.5 for the centre."""
    logits: Flag = False
    """Heatmaps are logits: scores are squashed by a sigmoid."""
    alpha: Positive = 0.2
    """Largest distance of a right keypoint, in units of the normaliser."""
    normaliser: Literal["box"] | Positive | tuple[Whole, Whole] = "box"
    """Longer side of the box around visible keypoints, a length in pixels, or two keypoints: their distance."""
    sigmas: tuple[Positive, ...] = ()
    """Standard deviation of each keypoint, relative to the root of the area; COCO's for 17 keypoints."""
    tolerance: Annotated[Real, Field(gt=0, le=1)] = 0.02
    """Share of the input's longer side that the keypoints of two endpoints may be apart to agree."""
    min_score: Real = 0.0
    """Score below which a keypoint is not shown; two endpoints agree on one that neither shows."""

    @model_validator(mode="after")
    def _pair(self) -> Keypoints:
        if isinstance(self.normaliser, tuple) and (min(self.normaliser) < 0 or len(set(self.normaliser)) < 2):
            raise ValueError("'normaliser' needs the indices of two keypoints")
        return self

    @property
    def metric(self) -> Metric:
        return Metric(
            f"PCK@{self.alpha:g}" if self.metric_name == "pck" else {"oks": "OKS"}.get(self.metric_name, "AP")
        )

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Keypoints float64 [N, K, 3] of x, y, visibility; labels [K, 2] are all visible. Raises DataError."""
        rows = stacked(labels, FORM).astype(np.float64)
        if rows.ndim != 3 or rows.shape[1] == 0 or rows.shape[2] not in (2, 3):
            raise DataError(f"labels are {list(rows.shape[1:])} a sample, keypoints are [K, 3]", hint=FORM)
        rows = np.concatenate([rows, np.ones_like(rows[..., :1])], axis=2) if rows.shape[2] == 2 else rows
        self._check_count(rows.shape[1])
        visible = np.isin(rows[..., 2], (1, 2))
        if not (visible | (rows[..., 2] == 0)).all():
            raise _refusal(rows, ~visible & (rows[..., 2] != 0), "has another visibility than 0, 1 or 2", FORM)
        edges = np.array([self.size[1], self.size[0]])
        inside = ((rows[..., :2] >= -SLACK * edges) & (rows[..., :2] <= (1 + SLACK) * edges)).all(axis=2)
        if (visible & ~inside).any():
            hint = "keypoints are in pixels of the model's input, after resizing; [task] size is its [height, width]"
            raise _refusal(rows, visible & ~inside, f"is outside the picture of {edges[1]}x{edges[0]} pixels", hint)
        if visible.any() and min(self.size) > 1 and (rows[visible][:, :2] <= 1).all():
            raise _refusal(rows, visible, "is within the first pixel, as are all", "multiply by the width and height")
        rows[~visible] = 0
        return rows

    def check_inputs(self, inputs: Mapping[str, Input]) -> None:
        check_picture_size(self.size, inputs)

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the first output holds neither coordinates nor heatmaps, or not those of the labels."""
        name, values = first_output(outputs)
        if values.ndim != 4 and not (values.ndim == 3 and values.shape[2] in (2, 3)):
            raise DataError(
                f"output '{name}' is {list(values.shape)}, keypoints are [N, K, 2], [N, K, 3] or heatmaps [N, K, H, W]",
                hint="the keypoints must be the model's first output; reshape coordinates to [N, K, 2] in the network",
            )
        self._check_count(values.shape[1])
        if labels is not None and (labels.ndim != 3 or labels.shape[1:] != (values.shape[1], 3)):
            raise DataError(
                f"labels are {list(labels.shape)}, output '{name}' has {values.shape[1]} keypoints", hint=FORM
            )

    def answers(self, outputs: Outputs) -> Array:
        """Keypoints float64 [N, K, 3] of x, y in pixels and score."""
        values = first_output(outputs)[1]
        if values.ndim == 4:
            return from_heatmaps(values, self.size, self.offset, self.logits)
        return from_coordinates(values, self.size, self.normalised)

    def score(self, answers: Answers, labels: Array) -> Scores:
        """Share of the right keypoints of each sample, or its similarity; 1 where no keypoint is visible."""
        visible = labels[..., 2] > 0
        if self.metric_name == "pck":
            right = (self._distances(answers, labels) <= self.alpha) & visible
            hits: Array = np.asarray(right.sum(axis=1))
            count: Array = np.asarray(visible.sum(axis=1))
            each = np.where(count > 0, hits / np.maximum(count, 1), 1.0)
            return Scores(each, lambda indices: float(hits[indices].sum() / max(int(count[indices].sum()), 1)))
        alike = similarity(answers[..., :2], labels, self._sigmas(labels.shape[1]))
        if self.metric_name == "oks":
            return Scores(alike)
        present = np.asarray(visible.any(axis=1))
        figures, ones = np.flatnonzero(present), present.astype(np.int64)[:, None]
        scores, classes = answers[figures, :, 2].mean(axis=1), np.zeros(len(figures), np.int64)
        rankings = [RankedMatches(figures, classes, scores, alike[figures] >= limit, ones) for limit in SIMILARITIES]
        return Scores(alike, pooled_precision(rankings, len(labels)))

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """Share of keypoints that are within the tolerance of each other, or that neither endpoint shows."""
        apart = np.linalg.norm(reference[..., :2] - candidate[..., :2], axis=2)
        near: Array = np.asarray(apart <= self.tolerance * max(self.size))
        hidden = (reference[..., 2] < self.min_score) & (candidate[..., 2] < self.min_score)
        return np.asarray((near | hidden).mean(axis=1))

    def distinct(self, answers: Answers) -> int:
        """Number of different answers, to the pixel."""
        return len(np.unique(np.rint(answers[..., :2]).reshape(len(answers), -1), axis=0))

    def chance(self, labels: Array) -> float | None:
        """Metric of the pose whose every keypoint is at its median; None for an average precision."""
        if self.metric_name == "oks-ap":
            return None
        places = np.where(labels[..., 2:] > 0, labels[..., :2], np.nan)
        seen = ~np.isnan(places).all(axis=(0, 2))
        pose = np.zeros((1, *labels.shape[1:]))
        pose[0, seen, :2] = np.nanmedian(places[:, seen], axis=0)
        return self.score(np.repeat(pose, len(labels), axis=0), labels).value

    def show(self, answers: Answers, i: int, classes: Sequence[str] = ()) -> str:
        return _text(answers[i], answers[i][:, 2] >= self.min_score, classes)

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        return _text(labels[i], labels[i][:, 2] > 0, classes)

    def _distances(self, answers: Array, labels: Array) -> Array:
        """Distances float64 [N, K] in units of the normaliser; infinite where it has no length."""
        apart = np.linalg.norm(answers[..., :2] - labels[..., :2], axis=2)
        if self.normaliser == "box":
            lengths = visible_sides(labels).max(axis=1)
        elif isinstance(self.normaliser, tuple):
            one, other = (labels[:, index] for index in self.normaliser)
            seen = (one[:, 2] > 0) & (other[:, 2] > 0)
            lengths = np.where(seen, np.linalg.norm(one[:, :2] - other[:, :2], axis=1), 0.0)
        else:
            lengths = np.full(len(labels), float(self.normaliser))
        return np.asarray(np.where(lengths[:, None] > 0, apart / np.maximum(lengths[:, None], 1e-9), np.inf))

    def _sigmas(self, count: int) -> Sequence[float]:
        return self.sigmas or (COCO_SIGMAS if count == len(COCO_SIGMAS) else ())

    def _check_count(self, count: int) -> None:
        """Raise DataError if the options are of another number of keypoints."""
        if isinstance(self.normaliser, tuple) and max(self.normaliser) >= count:
            raise DataError(
                f"[task] normaliser = {list(self.normaliser)}: there are {count} keypoints", hint=f"0 to {count - 1}"
            )
        if self.metric_name != "pck" and len(self._sigmas(count)) != count:
            raise DataError(
                f"[task] sigmas has {len(self.sigmas)} values, there are {count} keypoints",
                hint="one for each keypoint, relative to the root of a figure's area; 0.05 to 0.1 are usual",
            )


def _refusal(rows: Array, wrong: Array, trouble: str, hint: str) -> DataError:
    sample, point = np.argwhere(wrong)[0]
    numbers = ", ".join(f"{value:g}" for value in rows[sample, point])
    count = int(wrong.any(axis=1).sum())
    return DataError(
        f"keypoint {point} [{numbers}] of sample {sample} {trouble} ({count} of {len(rows)} samples have such)",
        hint=hint,
    )


def _text(points: Array, shown: Array, names: Sequence[str]) -> str:
    """Text such as `nose 12,30; left eye 14,28`; keypoints are named by the project's classes, if there are as many."""
    titles = list(names) if len(names) == len(points) else [str(k) for k in range(len(points))]
    rows = zip(titles, points, shown, strict=True)
    parts = [f"{title} {x:.0f},{y:.0f}" for title, (x, y, _), visible in rows if visible]
    return joined(parts, SHOWN, "; ") or "no keypoint"
