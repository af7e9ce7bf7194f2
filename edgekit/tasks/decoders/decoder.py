"""Base of decoders: a decoder is a record of its options, from `[task.decoder]`."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Real, Spec, Whole
from edgekit.tasks.boxes import sigmoid, softmax
from edgekit.tasks.task import Outputs, shape_text

Positive = Annotated[Real, Field(gt=0)]
Strides = Annotated[tuple[Annotated[Whole, Field(gt=0)], ...], Field(min_length=1)]
"""Pixels of the input that a step on the map of a level is, level by level."""
Sides = tuple[Positive, Positive]
"""Width and height of an anchor, in pixels of the input."""
Activation = Literal["none", "sigmoid", "softmax"]
Size = tuple[int, int]
"""Height and width of the input in pixels."""


class Candidates(NamedTuple):
    """Boxes that a network proposes for N pictures, before suppression."""

    boxes: Array
    """float64 [N, A, 4]: x1, y1, x2, y2 in pixels."""
    scores: Array
    """float64 [N, A, C]: scores of the classes of each box, or the score of the one class in `classes`."""
    classes: Array | None = None
    """int64 [N, A, 1] where each box has one class; None where column c of `scores` is class c."""


class BoxDecoder(Spec):
    """Options of a decoder."""

    @abstractmethod
    def decode(self, outputs: Outputs, size: Size) -> Candidates:
        """Decode the outputs [N, …] for N pictures.

        Raises DataError, with a hint, where their shapes are not those that the options make. It must not look at
        values for that: shapes are checked with zeros before anything is built.
        """
        ...


def activated(values: Array, activation: Activation) -> Array:
    """Scores float64 of logits [..., C]; `softmax` is over the last axis."""
    if activation == "sigmoid":
        return sigmoid(values)
    return softmax(values) if activation == "softmax" else np.asarray(values, np.float64)


def output_named(outputs: Outputs, name: str, option: str) -> Array:
    """The output of that name, which `option` states. Raises DataError if there is none."""
    if name not in outputs:
        raise DataError(
            f"[task.decoder] {option} = '{name}': the model has no such output",
            hint=f"outputs: {', '.join(outputs)}; [model] outputs names them in order",
        )
    return outputs[name]


def boxes_and_scores(outputs: Outputs, boxes: str | None, scores: str | None) -> tuple[Array, Array]:
    """Outputs [N, A, 4] and [N, A, C], by name, or told apart by the last axis. Raises DataError.

    Scores [N, C, A], as ONNX's NonMaxSuppression takes them, are transposed.
    boxes, scores: names of the two outputs; None for the only output with a last axis of 4, and for the other one.
    """
    if boxes is None:
        candidates = [name for name, array in outputs.items() if array.shape[-1] == 4 and name != scores]
        if len(candidates) != 1:
            raise DataError(
                f"it is not clear which output holds boxes: {shape_text(outputs)}",
                hint="name it: [task.decoder] boxes = '…', scores = '…'",
            )
        boxes = candidates[0]
    coordinates = output_named(outputs, boxes, "boxes")
    if scores is None:
        rest = [name for name in outputs if name != boxes]
        if len(rest) != 1:
            raise DataError(
                f"it is not clear which output holds scores: {shape_text(outputs)}",
                hint="name it: [task.decoder] scores = '…'",
            )
        scores = rest[0]
    values = output_named(outputs, scores, "scores")
    if values.ndim == 3 and values.shape[1] != coordinates.shape[1] == values.shape[2]:
        values = values.swapaxes(1, 2)
    if coordinates.ndim != 3 or coordinates.shape[2] != 4 or values.shape[:2] != coordinates.shape[:2]:
        raise DataError(
            f"boxes '{boxes}' are {list(coordinates.shape)}, scores '{scores}' {list(values.shape)}",
            hint="boxes are [N, A, 4], scores [N, A, classes]: permute and flatten maps in the network, or name others",
        )
    return coordinates, values
