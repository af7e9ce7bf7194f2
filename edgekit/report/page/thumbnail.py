"""Thumbnails of samples, as a page holds them."""

from __future__ import annotations

import base64
import io

import numpy as np

from edgekit.ir.measurement import Array

SIDE = 160
"""Longest side of a picture, in pixels."""


def thumbnail(pixels: Array) -> str:
    """PNG in base64 of pixels uint8 [height, width, 1 or 3], made smaller where it is larger than SIDE."""
    from PIL.Image import fromarray

    image = fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))
    image.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
