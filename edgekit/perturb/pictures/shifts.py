"""Shifts of pictures by one pixel: the same scene, whose answer should stay."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgekit.perturb.draws import Draws
from edgekit.perturb.pictures.pixels import PicturePerturbation, Pixels

DIRECTIONS: Mapping[str, tuple[int, int]] = {"down": (1, 0), "up": (-1, 0), "right": (0, 1), "left": (0, -1)}
"""Rows and columns by which the scene moves."""


def _shift(direction: str) -> PicturePerturbation:
    down, right = DIRECTIONS[direction]

    def change(pixels: Pixels, severity: int, draws: Draws) -> Pixels:
        height, width = pixels.shape[2:]
        rows = np.clip(np.arange(height) - down, 0, height - 1)
        columns = np.clip(np.arange(width) - right, 0, width - 1)
        return pixels[:, :, rows][:, :, :, columns]

    return PicturePerturbation(f"a pixel {direction}", "shift", change, "1 pixel, borders repeated")


SHIFTS = tuple(map(_shift, DIRECTIONS))
