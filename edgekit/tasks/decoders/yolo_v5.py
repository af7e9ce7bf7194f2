"""YOLO v5 and v7: anchors on three levels, sigmoids of everything."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import model_validator

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Flag
from edgekit.tasks.boxes import corners, sigmoid
from edgekit.tasks.decoders.decoder import BoxDecoder, Candidates, Sides, Size, Strides
from edgekit.tasks.decoders.grid import cells, flattened
from edgekit.tasks.task import Outputs, first_output, shape_text

COCO_ANCHORS = (
    ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
    ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
    ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
)


class YoloV5(BoxDecoder):
    """Decoder `yolo-v5`: [N, A, 5 + C], each row a box, its objectness and the scores of its classes.

    Raw maps may be [N, anchors * (5 + C), height, width] or [N, anchors, height, width, 5 + C], one for each level.
    Centre = (2 sigmoid - 0.5 + cell) * stride, sides = (2 sigmoid)² * anchor (ultralytics/yolov5, `models/yolo.py`).
    """

    kind: Literal["yolo-v5"] = "yolo-v5"
    raw: Flag = False
    """True where the network ends before its sigmoids; false where it gives boxes as centre and sides in pixels."""
    strides: Strides = (8, 16, 32)
    anchors: tuple[tuple[Sides, ...], ...] = COCO_ANCHORS
    """Width and height of the anchors of each level, in pixels."""

    @model_validator(mode="after")
    def _levels(self) -> YoloV5:
        if len(self.anchors) != len(self.strides) or len({len(level) for level in self.anchors} - {0}) != 1:
            raise ValueError(f"'anchors' needs a list of as many anchors for each of the {len(self.strides)} strides")
        return self

    def decode(self, outputs: Outputs, size: Size) -> Candidates:
        rows = self._rows(outputs, size)
        if rows.shape[2] < 6:
            raise DataError(
                f"outputs {shape_text(outputs)} have {rows.shape[2]} numbers a box, 'yolo-v5' needs 5 and one a class",
                hint="without objectness, the decoder is 'yolo-v8'",
            )
        boxes, objectness, scores = np.split(rows, (4, 5), axis=2)
        return Candidates(corners(boxes, "cxcywh"), np.asarray(objectness * scores, np.float64))

    def _rows(self, outputs: Outputs, size: Size) -> Array:
        """Rows [N, A, 5 + C] with boxes as centre and sides in pixels."""
        name, first = first_output(outputs)
        if not self.raw:
            if first.ndim != 3:
                raise DataError(
                    f"output '{name}' is {list(first.shape)}, boxes decoded in the graph are [N, A, 5 + classes]",
                    hint="maps of levels are [task.decoder] raw = true",
                )
            return first
        count = len(self.anchors[0])
        values = sigmoid(flattened(outputs, size, self.strides, count))
        grid = cells(size, self.strides, [count] * len(self.strides), planes=True)
        anchors = np.asarray(self.anchors, np.float64)[grid.levels, grid.anchors]
        centres = (values[..., :2] * 2 - 0.5 + grid.places) * grid.strides
        return np.concatenate([centres, (values[..., 2:4] * 2) ** 2 * anchors, values[..., 4:]], axis=2)
