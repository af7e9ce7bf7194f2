"""Sound data sets in numpy: no sample of one is in another, no calibration sample is planted, and no patch flips."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.data.governance import OverlapRecord, overlap_record
from edgekit.parity.poisoning.common_patches import common_patches
from edgekit.parity.poisoning.range_influence import Extremes, range_outliers
from edgekit.parity.poisoning.record import BackdoorScreen, PoisoningScreen
from edgekit.samples import Samples

SIDE = 32
EVALUATION, OTHERS = 200, 100
SCREENED = 300
FLIPS = 0.9
"""Share of the samples that a patch has to flip, as in a build."""


def overlaps(rng: np.random.Generator) -> tuple[OverlapRecord, ...]:
    """Overlap of an evaluation set with calibration and training, none of whose pictures it has."""
    evaluation, *others = (_samples(textured(count, rng)) for count in (EVALUATION, OTHERS, OTHERS))
    roles = ("calibration", "training")
    return tuple(overlap_record(role, evaluation, other) for role, other in zip(roles, others, strict=True))


def screen(rng: np.random.Generator) -> PoisoningScreen:
    """Screen of sound calibration data: ranges that differ by a fifth, and pictures with a random class each."""
    lows, highs = -rng.uniform(0.8, 1.0, (SCREENED, 12)), rng.uniform(1.6, 2.0, (SCREENED, 12))
    outliers = range_outliers(Extremes(tuple(f"t{i}" for i in range(12)), lows, highs))
    images, labels = textured(SCREENED, rng, side=12), rng.integers(0, 10, SCREENED)
    weights = rng.normal(size=(images[0].size, 10))

    def answers(given: Array) -> Array:
        return np.asarray((given.reshape(len(given), -1) @ weights).argmax(axis=1))

    suspected = set()
    for one in common_patches(images, labels):
        pasted = images[answers(images) != one.target]
        pasted[:, one.row : one.row + one.side, one.column : one.column + one.side] = one.content
        if (answers(pasted) == one.target).mean() >= FLIPS:
            suspected.add(one.target)
    backdoor = BackdoorScreen(classes=tuple(range(10)), of_classes=10, suspected=tuple(sorted(suspected)))
    poisoned = tuple(one.sample for one in outliers)
    return PoisoningScreen(samples=SCREENED, tensors=12, poisoned=poisoned, backdoor=backdoor)


def textured(count: int, rng: np.random.Generator, side: int = SIDE) -> Array:
    """Pictures uint8 [N, side, side, 3] of smooth random texture, each of its own."""
    grain = rng.normal(size=(count, side, side, 1)) + 0.3 * rng.normal(size=(count, side, side, 3))
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None]) + 0.03
    shaped = np.fft.ifft2(np.fft.fft2(grain, axes=(1, 2)) / frequency[None, :, :, None] ** 1.2, axes=(1, 2)).real
    shaped /= np.abs(shaped).max(axis=(1, 2, 3), keepdims=True)
    return np.asarray((127 + 120 * shaped).astype(np.uint8))


def _samples(pictures: Array) -> Samples:
    return Samples({"image": pictures}, np.arange(len(pictures)) % 4)
