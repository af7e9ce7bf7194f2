"""Detectors without anchors: each cell says the distances to the four sides of a box, or its centre and sides."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import field_validator

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Flag, Real
from edgekit.tasks.boxes import corners
from edgekit.tasks.decoders.decoder import Activation, BoxDecoder, Candidates, Size, Strides, activated
from edgekit.tasks.decoders.grid import cells, flattened
from edgekit.tasks.task import Outputs, shape_text

Part = Literal["boxes", "objectness", "scores"]


class AnchorFree(BoxDecoder):
    """Decoder `anchor-free`: YOLOX (Ge et al. 2021) by default, FCOS (Tian et al. 2019) by its options.

    Takes maps [N, channels, height, width] of each level, one or several a level, or rows [N, A, channels] of all
    cells. FCOS: `regression = "ltrb"`, `centre = 0.5`, `parts = ["scores", "boxes", "objectness"]` in the order of its
    outputs, `geometric_mean = true`, `exponential = true` where the network does not end in it.
    """

    kind: Literal["anchor-free"] = "anchor-free"
    strides: Strides
    regression: Literal["centre", "ltrb"] = "centre"
    """`centre`: offset of the centre from the cell in strides, then the logarithms of the sides in strides. `ltrb`:
    distances to the left, upper, right and lower side."""
    centre: Real = 0.0
    """Point of a cell that offsets and distances count from: 0 for its corner, 0.5 for its centre."""
    exponential: Flag = False
    """Distances are logarithms."""
    in_strides: Flag = True
    """Distances are in strides, not in pixels."""
    parts: tuple[Part, ...] = ("boxes", "objectness", "scores")
    """Order of the channels; `objectness` may be left out. FCOS calls it centre-ness."""
    activation: Activation = "sigmoid"
    """Function of scores and objectness; `none` where the network ends in it."""
    geometric_mean: Flag = False
    """A score is the root of objectness times class score, not their product."""

    @field_validator("parts")
    @classmethod
    def _whole(cls, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        if sorted(parts) not in (["boxes", "scores"], ["boxes", "objectness", "scores"]):
            raise ValueError("'parts' needs 'boxes' and 'scores' once each, and 'objectness' at most once")
        return parts

    def decode(self, outputs: Outputs, size: Size) -> Candidates:
        rows = flattened(outputs, size, self.strides)
        parts = self._split(rows, outputs)
        grid, values = cells(size, self.strides), parts["boxes"].astype(np.float64)
        points = grid.places + self.centre
        if self.regression == "centre":
            centres = (values[..., :2] + points) * grid.strides
            sides = np.exp(np.minimum(values[..., 2:], 10.0)) * grid.strides
            boxes = corners(np.concatenate([centres, sides], axis=2), "cxcywh")
        else:
            distances = np.exp(np.minimum(values, 10.0)) if self.exponential else values
            distances = distances * grid.strides if self.in_strides else distances
            at = points * grid.strides
            boxes = np.concatenate([at - distances[..., :2], at + distances[..., 2:]], axis=2)
        scores = activated(parts["scores"], self.activation)
        if "objectness" in parts:
            gate: Activation = "none" if self.activation == "none" else "sigmoid"
            scores = scores * activated(parts["objectness"], gate)
            scores = np.sqrt(scores) if self.geometric_mean else scores
        return Candidates(boxes, scores)

    def _split(self, rows: Array, outputs: Outputs) -> dict[Part, Array]:
        """Channels [N, A, …] of each part."""
        fixed: dict[Part, int] = {"boxes": 4, "objectness": 1}
        classes = rows.shape[2] - sum(fixed.get(part, 0) for part in self.parts)
        if classes < 1:
            raise DataError(
                f"outputs {shape_text(outputs)} have {rows.shape[2]} channels a cell, too few for {list(self.parts)}",
                hint="4 for a box, 1 for objectness, 1 for each class; [task.decoder] parts says what there is",
            )
        ends = np.cumsum([fixed.get(part, classes) for part in self.parts])
        return dict(zip(self.parts, np.split(rows, ends[:-1], axis=2), strict=True))
