"""YOLO v8 and v11: no anchors and no objectness; sides as distributions over distances (DFL)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from edgekit.errors import DataError
from edgekit.specs.spec import Flag, Whole
from edgekit.tasks.boxes import corners, sigmoid, softmax
from edgekit.tasks.decoders.decoder import BoxDecoder, Candidates, Size, Strides
from edgekit.tasks.decoders.grid import cells, flattened
from edgekit.tasks.task import Outputs, first_output, shape_text


class YoloV8(BoxDecoder):
    """Decoder `yolo-v8`: [N, 4 + C, A], each column a box as centre and sides in pixels, and the scores of its classes.

    Raw: maps [N, 4 * bins + C, height, width] of each level, or [N, 4 * bins + C, A]. A distance to a side is the mean
    of 0, 1, … under the softmax of its bins, in strides (distribution focal loss, Li et al. 2020); with one bin, the
    number itself.
    """

    kind: Literal["yolo-v8"] = "yolo-v8"
    raw: Flag = False
    """True where the network ends before boxes are decoded and scores are squashed."""
    strides: Strides = (8, 16, 32)
    bins: Whole = Field(default=16, ge=1)

    def decode(self, outputs: Outputs, size: Size) -> Candidates:
        if not self.raw:
            return _decoded(outputs)
        rows = flattened(outputs, size, self.strides)
        if rows.shape[2] <= 4 * self.bins:
            raise DataError(
                f"outputs {shape_text(outputs)} have {rows.shape[2]} channels a cell; 4 sides of {self.bins} bins "
                "leave none for classes",
                hint="[task.decoder] bins is the network's reg_max",
            )
        grid = cells(size, self.strides)
        sides, scores = np.split(rows, (4 * self.bins,), axis=2)
        bins = sides.reshape(*sides.shape[:2], 4, self.bins)
        distances = softmax(bins) @ np.arange(self.bins, dtype=np.float64) if self.bins > 1 else bins[..., 0]
        points = grid.places + 0.5
        boxes = np.concatenate([points - distances[..., :2], points + distances[..., 2:]], axis=2) * grid.strides
        return Candidates(boxes, sigmoid(scores))


def _decoded(outputs: Outputs) -> Candidates:
    name, first = first_output(outputs)
    if first.ndim != 3 or first.shape[1] < 5:
        raise DataError(
            f"output '{name}' is {list(first.shape)}, 'yolo-v8' needs [N, 4 + classes, A]",
            hint="maps of levels are [task.decoder] raw = true; rows with objectness are 'yolo-v5'",
        )
    boxes, scores = np.split(first.transpose(0, 2, 1), (4,), axis=2)
    return Candidates(corners(boxes, "cxcywh"), scores.astype(np.float64))
