"""Paired answers of classifiers, with regressions planted in them; nothing is built."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgekit.datasets.metadata import Metadata
from edgekit.ir.measurement import Array, Measurement
from edgekit.parity.compare import compare
from edgekit.parity.comparison import Comparison
from edgekit.parity.slices.evaluation_slices import EvaluationSlices
from edgekit.samples import Samples
from edgekit.specs.inputs import Input
from edgekit.specs.preprocess import Preprocess
from edgekit.tasks.classification import Classification
from tests.parity.examples import environment, measurement

CLASSES = tuple("abcdefghij")
PICTURE = Input(shape=(3, 8, 8), preprocess=Preprocess(from_="uint8 NHWC"))


@dataclass(frozen=True)
class Pictures:
    """Pictures with their labels, the reference's answers, and the camera that took each."""

    samples: Samples
    reference: Array
    """int64 [N]"""

    @property
    def labels(self) -> Array:
        return self.samples.labels

    @property
    def brightness(self) -> Array:
        return np.asarray(self.samples.inputs["x"].mean(axis=(1, 2, 3)))

    def taken_by(self, camera: str) -> Array:
        """bool [N]"""
        assert self.samples.metadata
        return np.asarray(self.samples.metadata.columns["camera"] == camera)


def pictures(count: int = 4000, right: float = 0.92, seed: int = 0) -> Pictures:
    """Pictures of any brightness, of which camera `z` took 4 %, and a reference that has so many right."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(CLASSES)
    level = rng.integers(20, 236, count)
    pixels = np.clip(level[:, None, None, None] + rng.integers(-20, 20, (count, 8, 8, 3)), 0, 255).astype(np.uint8)
    camera = rng.choice(["x", "y", "z"], count, p=[0.6, 0.36, 0.04])
    metadata = Metadata(tuple(f"{i}.png" for i in range(count)), {"camera": camera})
    reference = np.where(rng.random(count) < right, labels, (labels + 1 + rng.integers(0, 9, count)) % 10)
    return Pictures(Samples({"x": pixels}, labels, metadata=metadata), reference)


def sound(answers: Array, seed: int, share: float = 0.01) -> Array:
    """Answers of a sound build: so many of all samples are answered otherwise, at random."""
    rng = np.random.default_rng(seed)
    changed = rng.random(len(answers)) < share
    return np.where(changed, rng.integers(0, len(CLASSES), len(answers)), answers)


def damaged(answers: Array, members: Array, share: float, seed: int = 1) -> Array:
    """Answers of which a share of the members is another class."""
    hit = members & (np.random.default_rng(seed).random(len(answers)) < share)
    return np.where(hit, (answers + 1) % len(CLASSES), answers)


def scored(answers: Array, labels: Array, margin: float = 2.0) -> Measurement:
    """Measurement with logits [N, 10] that are far enough apart for clusters to be the answers."""
    outputs = measurement(answers, labels).outputs["output"] * np.float32(margin)
    return replace(measurement(answers, labels, environment("eager")), outputs={"output": outputs})


def slices_of(given: Pictures) -> EvaluationSlices:
    reference = scored(given.reference, given.labels)
    return EvaluationSlices.of(reference, given.samples, {"x": PICTURE}, Classification(), CLASSES)


def sliced(given: Pictures, candidate: Array, slices: EvaluationSlices | None = None) -> Comparison:
    """Comparison with its slices."""
    reference, measured = (scored(answers, given.labels) for answers in (given.reference, candidate))
    comparison = compare(reference, measured, Classification(), CLASSES)
    return replace(comparison, slices=(slices or slices_of(given)).parity(comparison))
