"""Yolo-FastestV2: three maps a level, for boxes, objectness and classes; the anchors of a cell share its classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import model_validator

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Flag
from edgekit.tasks.boxes import corners, sigmoid, softmax
from edgekit.tasks.decoders.decoder import BoxDecoder, Candidates, Sides, Size, Strides
from edgekit.tasks.decoders.grid import cells, map_sizes
from edgekit.tasks.task import Outputs, shape_text


class FastestV2(BoxDecoder):
    """Decoder `fastest-v2`: maps [N, 4 * anchors, H, W], [N, anchors, H, W] and [N, C, H, W] of each level, in order.

    Boxes are decoded as those of YOLO v5; a score is objectness times the softmax of the classes (dog-qiuqiu/
    Yolo-FastestV2, `utils/utils.py`).
    """

    kind: Literal["fastest-v2"] = "fastest-v2"
    strides: Strides = (16, 32)
    anchors: tuple[tuple[Sides, ...], ...]
    """Width and height of the anchors of each level, in pixels."""
    activated: Flag = False
    """True where the network ends in its sigmoids and softmax."""

    @model_validator(mode="after")
    def _levels(self) -> FastestV2:
        if len(self.anchors) != len(self.strides) or not all(self.anchors):
            raise ValueError(f"'anchors' needs a list for each of the {len(self.strides)} strides")
        return self

    def decode(self, outputs: Outputs, size: Size) -> Candidates:
        arrays = list(outputs.values())
        self._check(outputs, size)
        levels = [self._level(i, arrays[3 * i : 3 * i + 3], size) for i in range(len(self.strides))]
        boxes, scores = (np.concatenate(column, axis=1) for column in zip(*levels, strict=True))
        return Candidates(corners(boxes, "cxcywh"), scores)

    def _level(self, i: int, maps: Sequence[Array], size: Size) -> tuple[Array, Array]:
        """Boxes [N, A, 4] as centre and sides, and scores [N, A, C], of level i: cells by rows, anchors of each."""
        boxes, objectness, classes = maps
        count = len(self.anchors[i])
        grid = cells(size, self.strides[i : i + 1], [count])
        rows = boxes.transpose(0, 2, 3, 1).reshape(len(boxes), -1, 4)
        gate = objectness.transpose(0, 2, 3, 1).reshape(len(boxes), -1, 1)
        scores = np.repeat(classes.transpose(0, 2, 3, 1).reshape(len(boxes), -1, classes.shape[1]), count, axis=1)
        if not self.activated:
            rows, gate, scores = sigmoid(rows), sigmoid(gate), softmax(scores)
        anchors = np.asarray(self.anchors[i], np.float64)[grid.anchors]
        centres = (rows[..., :2] * 2 - 0.5 + grid.places) * grid.strides
        return np.concatenate([centres, (rows[..., 2:] * 2) ** 2 * anchors], axis=2), np.asarray(gate * scores)

    def _check(self, outputs: Outputs, size: Size) -> None:
        arrays = list(outputs.values())
        fits = len(arrays) == 3 * len(self.strides) and all(array.ndim == 4 for array in arrays)
        for i, (height, width) in enumerate(map_sizes(size, self.strides)):
            own, count = arrays[3 * i : 3 * i + 3], len(self.anchors[i])
            fits = fits and [array.shape[2:] for array in own] == [(height, width)] * 3
            fits = fits and [array.shape[1] for array in own[:2]] == [4 * count, count]
        if not fits:
            maps = ", ".join(f"{height}x{width}" for height, width in map_sizes(size, self.strides))
            raise DataError(
                f"outputs {shape_text(outputs)} are not boxes, objectness and classes of maps of {maps}",
                hint="'fastest-v2' needs three maps a level: [N, 4 * anchors, H, W], [N, anchors, H, W], [N, C, H, W]",
            )
