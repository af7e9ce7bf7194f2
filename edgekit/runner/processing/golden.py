"""Golden digest of processing: of a fixed pattern, so that a device proves that its steps give the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from .geometry import Step
from .resize import Array
from .steps import process

SIZES = ((360, 270), (97, 241))
"""Height and width of the pictures: an upright one and a wide one."""


def golden_digest(steps: Sequence[Step], channels: int) -> str:
    """SHA-256 of the sizes and pixels that the steps make of the patterns. `channels`: of the raw picture."""
    sha = hashlib.sha256()
    for height, width in SIZES:
        crops = [step["crop"] for step in steps if "crop" in step]
        least = max([1, *(max(crop["height"], crop["width"]) for crop in crops)])
        larger = -(-least // min(height, width))
        result = process(steps, pattern(height * larger, width * larger, channels))
        sha.update(f"{result.shape}".encode() + result.tobytes())
    return sha.hexdigest()


def pattern(height: int, width: int, channels: int) -> Array:
    """Picture of gradients and steps, uint8 [height, width, channels], the same on every machine."""
    y, x, c = np.ogrid[:height, :width, :channels]
    values = x * 7 + y * 13 + c * 29 + (x // 8) * (y // 8) % 97 + np.where((x // 16 + y // 16) % 2, 64, 0)
    pixels: Array = (values % 256).astype(np.uint8)
    return pixels
