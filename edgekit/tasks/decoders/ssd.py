"""SSD and its relatives, such as light face detectors: scores of priors, and offsets of boxes from them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Flag
from edgekit.tasks.boxes import corners
from edgekit.tasks.decoders.decoder import (
    Activation,
    BoxDecoder,
    Candidates,
    Positive,
    Sides,
    Size,
    Strides,
    activated,
    boxes_and_scores,
)
from edgekit.tasks.decoders.grid import cells
from edgekit.tasks.task import Outputs


class Ssd(BoxDecoder):
    """Decoder `ssd`: boxes [N, A, 4] as offsets from A priors, scores [N, A, C] (Liu et al. 2016).

    The priors of a cell are its anchors, or every size with every ratio: `size * sqrt(ratio)` wide, `size /
    sqrt(ratio)` high. Rows are in the order of levels, rows, columns, sizes, ratios. A box has its centre at
    `prior centre + offset * variance * prior side`, and sides of `prior side * exp(offset * variance)`.
    """

    kind: Literal["ssd"] = "ssd"
    boxes: str | None = None
    scores: str | None = None
    strides: Strides
    sizes: tuple[tuple[Positive, ...], ...] = ()
    """Sides of the priors of each level, in pixels."""
    ratios: tuple[tuple[Positive, ...], ...] = ()
    """Ratios of width to height of each level; squares alone by default."""
    anchors: tuple[tuple[Sides, ...], ...] = ()
    """Width and height of each prior of each level, in pixels, in place of sizes and ratios."""
    variances: tuple[Positive, Positive] = (0.1, 0.2)
    """Scales of the offsets of centres and of sides."""
    activation: Activation = "softmax"
    """`none` where the network ends in it."""
    background: int = Field(default=0, ge=-1)
    """Column of the scores that stands for no object; it is left out, and the rest are classes 0, 1, …. -1 for none."""
    clip: Flag = False
    """Priors end at the edges of the picture."""

    @model_validator(mode="after")
    def _levels(self) -> Ssd:
        if bool(self.sizes) == bool(self.anchors):
            raise ValueError("a decoder of priors needs exactly one of 'sizes' and 'anchors'")
        for name in ("sizes", "ratios", "anchors"):
            values = getattr(self, name)
            if values and (len(values) != len(self.strides) or not all(values)):
                raise ValueError(f"'{name}' needs a list for each of the {len(self.strides)} strides")
        return self

    def decode(self, outputs: Outputs, size: Size) -> Candidates:
        offsets, scores = boxes_and_scores(outputs, self.boxes, self.scores)
        priors = self.priors(size)
        if offsets.shape[1] != len(priors):
            raise DataError(
                f"the model has {offsets.shape[1]} boxes, the decoder {len(priors)} priors",
                hint=f"strides {list(self.strides)} of {size[0]}x{size[1]} pixels, with the priors of each cell; they "
                "must be the network's, as must [task] size",
            )
        centres = priors[:, :2] + offsets[..., :2] * self.variances[0] * priors[:, 2:]
        sides = priors[:, 2:] * np.exp(np.minimum(np.float64(self.variances[1]) * offsets[..., 2:], 10.0))
        values = activated(scores, self.activation)
        if self.background >= 0:
            values = np.delete(values, self.background, axis=2)
        return Candidates(corners(np.concatenate([centres, sides], axis=2), "cxcywh"), values)

    def priors(self, size: Size) -> Array:
        """Priors float64 [A, 4]: centre and sides in pixels."""
        sides = [np.asarray(level, np.float64) for level in self.anchors or self._squares_and_ratios()]
        grid = cells(size, self.strides, [len(level) for level in sides])
        starts = np.cumsum([0, *(len(level) for level in sides[:-1])])
        own = np.concatenate(sides)[starts[grid.levels] + grid.anchors]
        priors = np.concatenate([(grid.places + 0.5) * grid.strides, own], axis=1)
        if not self.clip:
            return priors
        edges = np.array([size[1], size[0]] * 2, np.float64)
        low, high = np.split(np.clip(corners(priors, "cxcywh"), 0, edges), 2, axis=1)
        return np.concatenate([(low + high) / 2, high - low], axis=1)

    def _squares_and_ratios(self) -> list[list[tuple[float, float]]]:
        ratios = self.ratios or ((1.0,),) * len(self.sizes)
        return [
            [(side * ratio**0.5, side / ratio**0.5) for side in level for ratio in shapes]
            for level, shapes in zip(self.sizes, ratios, strict=True)
        ]
