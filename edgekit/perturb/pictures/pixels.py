"""Pixels as the functions of corruptions take them, and perturbations made of such a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.draws import Draws
from edgekit.perturb.input_domain import InputDomain, Kind
from edgekit.perturb.perturbation import Family
from edgekit.samples import Samples

SMALLEST = 8
"""Smallest height and width: below, a blur of the mildest severity is the whole picture."""
VALUES = 1 << 23
"""Values that are computed on at once: 64 MB of them."""
TIE = 2.0**-20
"""Distance from the middle between two levels, in levels, which is none: errors of sums are a thousandth of it."""

Pixels = Array
"""float64 [N, C, H, W] in [0, 1]: precise enough that the order of sums does not show in levels (`as_raw`)."""
Change = Callable[[Pixels, int, Draws], Pixels]
"""Function of pixels, a severity, and draws of the N samples: pixels of the same shape, which may leave [0, 1]."""


@dataclass(frozen=True)
class PicturePerturbation:
    """Perturbation of pictures by a function of their pixels."""

    name: str
    family: Family
    change: Change
    parameters: str
    severities: tuple[int, ...] = (1,)
    colours: bool = False
    """True if it means nothing for grey pictures."""
    version: int = 1
    kind: Kind = "pictures"

    def unfit(self, samples: Samples, domain: InputDomain) -> str | None:
        shape = samples.inputs[domain.name].shape[1:]
        if samples.length is not None or len(shape) != 3:
            return f"samples of '{domain.name}' are no single pictures"
        if not len(samples):
            return "there are no pictures"
        if min(shape[:2]) < SMALLEST:
            return f"pictures of {shape[1]} x {shape[0]} pixels are too small, {SMALLEST} x {SMALLEST} are the least"
        return f"'{domain.name}' has no colours" if self.colours and shape[2] != 3 else None

    def apply(self, samples: Samples, domain: InputDomain, severity: int, draws: Draws) -> Samples:
        raw, white = samples.inputs[domain.name], domain.white
        if not len(raw):
            return samples
        step = max(1, VALUES // int(np.prod(raw.shape[1:])))
        parts = [
            as_raw(self.change(as_pixels(raw[i : i + step], white), severity, draws.part(i, i + step)), white)
            for i in range(0, len(raw), step)
        ]
        return replace(samples, inputs={**samples.inputs, domain.name: np.concatenate(parts)}, sampling=None, raw={})


def as_pixels(raw: Array, white: int) -> Pixels:
    """Pixels of uint8 [N, H, W, C], where `white` is 1; levels above it stay above 1."""
    return np.ascontiguousarray(raw.transpose(0, 3, 1, 2)) / float(white)


def as_raw(pixels: Pixels, white: int) -> Array:
    """uint8 [N, H, W, C] of pixels, cut to [0, 1] and rounded to the nearest level, from the middle upwards.

    Means of two or four levels often lie in the middle between two, to within the last bits of a sum, which depend on
    the order in which a machine adds. So what is below the middle by less than TIE is taken for the middle.
    """
    levels = np.floor(np.clip(pixels, 0, 1) * white + (0.5 + TIE)).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(0, 2, 3, 1))
