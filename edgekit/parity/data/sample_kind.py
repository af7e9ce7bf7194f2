"""Kind of the samples of an input, by dtype and shape: it decides what a near duplicate of one is."""

from __future__ import annotations

from typing import Literal

import numpy as np

from edgekit.ir.measurement import Array

Kind = Literal["pictures", "recordings", "tokens", "numbers"]
LEAST_SIDE = 16
"""Fewest rows and columns of a picture: in 8 x 8 pixels two digits differ less than two copies of a photograph."""
LEAST_RECORDING = 1000
"""Fewest values in a row that are taken for a recording."""


def kind_of(array: Array) -> Kind:
    """Kind of the samples in `array` [N, …].

    Integers of 32 and 64 bits in one axis are tokens; three axes with one of 1, 3 or 4 channels first or last, or two
    axes of bytes, are pictures; reals in one long axis are recordings; everything else is numbers.
    """
    shape = array.shape[1:]
    if array.dtype.kind in "iu" and array.dtype.itemsize >= 4 and len(shape) == 1:
        return "tokens"
    if picture_layout(array) is not None:
        return "pictures"
    longest = max(shape, default=0)
    if array.dtype.kind == "f" and longest >= LEAST_RECORDING and int(np.prod(shape)) == longest:
        return "recordings"
    return "numbers"


def picture_layout(array: Array) -> Literal["HW", "HWC", "CHW"] | None:
    """Order of the axes of the pictures in `array` [N, …]; None if they are none, or smaller than 16 x 16 pixels."""
    shape = array.shape[1:]
    if len(shape) == 2 and array.dtype == np.uint8 and min(shape) >= LEAST_SIDE:
        return "HW"
    if len(shape) != 3:
        return None
    if shape[2] in (1, 3, 4) and min(shape[:2]) >= LEAST_SIDE:
        return "HWC"
    return "CHW" if shape[0] in (1, 3, 4) and min(shape[1:]) >= LEAST_SIDE else None
