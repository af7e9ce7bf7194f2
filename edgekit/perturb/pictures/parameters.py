"""Parameters of the corruptions of pictures, by severity and by size.

They are those of Hendrycks and Dietterich (2019), "Benchmarking neural network robustness to common corruptions and
perturbations", for pictures of 32 and of 224 pixels. Between these sizes each parameter is interpolated linearly in the
logarithm of the size, the root of height times width; smaller and larger pictures have those of 32 and of 224.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

SMALL, LARGE = 32, 224
"""Sizes in pixels that the two tables are for."""
SEVERITIES = (1, 2, 3, 4, 5)

Row = tuple[tuple[float, ...], ...]
"""Parameters of the five severities."""


@dataclass(frozen=True)
class ParameterTable:
    """Parameters of one corruption at both sizes."""

    small: Row
    large: Row

    def at(self, severity: int, height: int, width: int) -> tuple[float, ...]:
        """Parameters of a severity for pictures of this size."""
        share = math.log(math.sqrt(height * width) / SMALL) / math.log(LARGE / SMALL)
        share = min(1.0, max(0.0, share))
        pairs = zip(self.small[severity - 1], self.large[severity - 1], strict=True)
        return tuple(a + share * (b - a) for a, b in pairs)


def _table(small: tuple[float, ...], large: tuple[float, ...]) -> ParameterTable:
    return ParameterTable(tuple((value,) for value in small), tuple((value,) for value in large))


PARAMETERS: Mapping[str, ParameterTable] = {
    "gaussian noise": _table((0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38)),
    "shot noise": _table((500, 250, 100, 75, 50), (60, 25, 12, 5, 3)),
    "impulse noise": _table((0.01, 0.02, 0.03, 0.05, 0.07), (0.03, 0.06, 0.09, 0.17, 0.27)),
    "defocus blur": ParameterTable(
        ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    ),
    "glass blur": ParameterTable(
        ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    ),
    "motion blur": ParameterTable(
        ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    ),
    "zoom blur": ParameterTable(
        ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    ),
    "snow": ParameterTable(
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    "frost": ParameterTable(
        ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
        ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    ),
    "fog": ParameterTable(
        ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    ),
    "brightness": _table((0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5)),
    "contrast": _table((0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05)),
    "elastic transform": ParameterTable(  # as shares of the size
        ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
        ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)),
    ),
    "pixelate": _table((0.95, 0.9, 0.85, 0.75, 0.65), (0.6, 0.5, 0.4, 0.3, 0.25)),
    "jpeg compression": _table((80, 65, 58, 50, 40), (25, 18, 15, 10, 7)),
}
"""Parameters by the name of the corruption; what they are, the functions of that name say."""
