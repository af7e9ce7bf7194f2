"""Outputs that the graph decoded itself: boxes, scores and, where each box has one, classes."""

from __future__ import annotations

from typing import Literal

import numpy as np

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Flag
from edgekit.tasks.boxes import BoxFormat, corners
from edgekit.tasks.decoders.decoder import (
    Activation,
    BoxDecoder,
    Candidates,
    Size,
    activated,
    boxes_and_scores,
    output_named,
)
from edgekit.tasks.task import Outputs, first_output

SIX = 6
"""Columns of one output that holds all: the box, its score, its class."""


class Decoded(BoxDecoder):
    """Decoder `decoded`: boxes and scores are those of the network.

    Takes boxes [N, M, 4] with scores [N, M, C], or with scores [N, M] and classes [N, M]; or one output [N, M, 6] of
    box, score and class. Rows without a box have a score of 0.
    """

    kind: Literal["decoded"] = "decoded"
    boxes: str | None = None
    """Name of the output with boxes; by default the only one with a last axis of 4."""
    scores: str | None = None
    """Name of the output with scores; by default the one that is left."""
    classes: str | None = None
    """Name of the output with classes, if there is one. It must be named: it looks like scores."""
    box_format: BoxFormat = "xyxy"
    normalised: Flag = False
    """Boxes are shares of the width and height."""
    activation: Activation = "none"
    """Function of scores [N, M, C] that the graph leaves out."""

    def decode(self, outputs: Outputs, size: Size) -> Candidates:
        scale = (float(size[1]), float(size[0])) if self.normalised else (1.0, 1.0)
        name, first = first_output(outputs)
        if len(outputs) == 1:
            if first.ndim != 3 or first.shape[2] != SIX:
                raise DataError(
                    f"output '{name}' is {list(first.shape)}; a single decoded output is [N, M, 6]",
                    hint="its columns are the box, its score and its class; or choose another [task.decoder] kind",
                )
            boxes, scores, classes = np.split(first, (4, 5), axis=2)
            return Candidates(corners(boxes, self.box_format, scale), scores.astype(np.float64), _whole(classes))
        rest = {name: array for name, array in outputs.items() if name != self.classes}
        boxes, scores = boxes_and_scores(rest, self.boxes, self.scores)
        if self.classes is None:
            scores = scores if scores.ndim == 3 else scores[..., None]
            return Candidates(corners(boxes, self.box_format, scale), activated(scores, self.activation))
        classes = output_named(outputs, self.classes, "classes")
        count = boxes.shape[:2]
        if scores.size != count[0] * count[1] or classes.size != scores.size:
            raise DataError(
                f"boxes are {list(boxes.shape)}, scores {list(scores.shape)}, classes {list(classes.shape)}",
                hint="where an output holds classes, scores and classes have one number a box: [N, M]",
            )
        return Candidates(
            corners(boxes, self.box_format, scale),
            activated(scores.reshape(*count, 1), "none" if self.activation == "softmax" else self.activation),
            _whole(classes.reshape(*count, 1)),
        )


def _whole(classes: Array) -> Array:
    return np.asarray(np.rint(classes), np.int64)
