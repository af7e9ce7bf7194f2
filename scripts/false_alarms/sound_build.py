"""A sound build in numpy: reference and candidate see the same samples, each with noise of its own and no other change.

The two are exchangeable, so that compression truly costs nothing, of no figure and in no slice that does not depend on
the noise of one of them. With limits at what is true, a gate fails as often as its confidence says at most.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgekit.datasets.metadata import Metadata
from edgekit.ir.measurement import Array, Environment, Measurement, Validity, no_latency
from edgekit.parity.adversarial import AdversarialSensitivity, AttackRecord
from edgekit.parity.calibration.paired_calibration import paired_calibration
from edgekit.parity.compare import compare
from edgekit.parity.comparison import Comparison
from edgekit.parity.data.governance import DataGovernance
from edgekit.parity.data.labels import check_labels
from edgekit.parity.outside.paired_outside import OutsideScores, paired_outside
from edgekit.parity.robustness.condition_scores import CleanAnswers
from edgekit.parity.robustness.robustness import Robustness
from edgekit.parity.slices.evaluation_slices import EvaluationSlices
from edgekit.perturb.condition import Condition
from edgekit.perturb.input_domain import InputDomain
from edgekit.perturb.registry import PERTURBATIONS
from edgekit.samples import Samples
from edgekit.specs.inputs import Input
from edgekit.tasks.class_scores import ClassScores, whole_samples
from edgekit.tasks.classification import Classification

CLASSES = 10
NOISE = 0.3
"""Deviation of what each endpoint adds to the logits: about one answer in twenty is another."""
PERTURBED = {"natural": 1.5, "systematic": 0.8, "shift": 0.5}
"""Deviation of what a perturbation adds to the logits of both, by its family."""
EVERY = 3
"""Of the perturbations of pictures every third, at the mildest severity: bootstraps are most of the time."""
PICTURE = Input.model_validate({"shape": [3, 8, 8], "preprocess": {"from": "uint8 NHWC", "scale": 1 / 255}})
CONDITIONS = [
    Condition(each, 1, InputDomain("x", PICTURE, Path()))
    for each in [each for each in PERTURBATIONS if each.kind == "pictures"][::EVERY]
]
WHERE = Environment(
    kind="eager",
    machine="none",
    system="none",
    cpu="none",
    cores=1,
    ram_bytes=1 << 30,
    runtime="numpy",
    python="3",
    threads=1,
    host_stand_in=False,
)


@dataclass(frozen=True)
class Pool:
    """Samples that builds are resampled of: what a network without noise would say, and what they are."""

    logits: Array
    """float64 [N, CLASSES]"""
    labels: Array
    """int64 [N], drawn by the softmax of the logits: the network is right as often as it says."""
    pictures: Array
    """uint8 [N, 8, 8, 3]"""
    camera: Array
    video: Array
    """int64 [N]"""

    @classmethod
    def of(cls, count: int, seed: int) -> Pool:
        rng = np.random.default_rng(seed)
        logits = rng.normal(size=(count, CLASSES)) * 2.5
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        labels = (shares.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1).clip(0, CLASSES - 1)
        level = rng.integers(20, 236, (count, 1, 1, 1))
        pictures = np.clip(level + rng.integers(-20, 20, (count, 8, 8, 3)), 0, 255).astype(np.uint8)
        camera = rng.choice(["x", "y", "z"], count, p=[0.6, 0.3, 0.1])
        return cls(logits, labels, pictures, camera, np.arange(count) // 10)

    def take(self, chosen: Array) -> Pool:
        return Pool(*(getattr(self, name)[chosen] for name in ("logits", "labels", "pictures", "camera", "video")))

    @property
    def samples(self) -> Samples:
        names = tuple(map(str, range(len(self.labels))))
        return Samples({"x": self.pictures}, self.labels, metadata=Metadata(names, {"camera": self.camera}))


def endpoints(logits: Array, rng: np.random.Generator, video: Array | None = None) -> tuple[Array, Array]:
    """Logits float32 of both endpoints: those that are given, with noise of its own each.

    video: int64 [N]; half of the noise is then one of all samples of a video.
    """
    sides = []
    for _ in range(2):
        noise = rng.normal(size=logits.shape)
        if video is not None:
            kinds, places = np.unique(video, return_inverse=True)
            noise = (noise + rng.normal(size=(len(kinds), CLASSES))[places]) / np.sqrt(2)
        sides.append((logits + NOISE * noise).astype(np.float32))
    return sides[0], sides[1]


def measured(logits: Array, labels: Array, groups: Array | None = None) -> Measurement:
    found = Measurement({"y": logits}, labels, "ab" * 32, no_latency(), 1, 1, None, WHERE, Validity(True))
    return replace(found, groups=groups)


def sliced(pool: Pool, sides: tuple[Array, Array], groups: Array | None = None) -> Comparison:
    """Comparison of two endpoints, slice by slice."""
    reference, candidate = (measured(side, pool.labels, groups) for side in sides)
    comparison = compare(reference, candidate, Classification())
    slices = EvaluationSlices.of(reference, pool.samples, {"x": PICTURE}, Classification())
    return replace(comparison, slices=slices.parity(comparison))


def sound_build(pool: Pool, rng: np.random.Generator) -> Comparison:
    """Comparison of which every gate on answers can be decided; data sets and screens are apart."""
    sides = endpoints(pool.logits, rng)
    outside = endpoints(pool.logits[: len(pool.labels) // 2] * 0.5, rng)
    theirs, ours = (ClassScores(side, pool.labels, whole_samples(side)) for side in sides)
    beyond = [ClassScores(side, None, whole_samples(side)) for side in outside]
    return replace(
        sliced(pool, sides),
        calibration=paired_calibration(theirs, ours, "top1"),
        outside=paired_outside(OutsideScores((theirs, beyond[0]), (ours, beyond[1]), "noise", "energy")),
        robustness=_robustness(pool, sides, rng),
        adversarial=_attacked(pool, rng),
        governance=DataGovernance(sets=(), labels=check_labels(sides[0], pool.labels)),
    )


def _robustness(pool: Pool, sides: tuple[Array, Array], rng: np.random.Generator) -> Robustness:
    clean = CleanAnswers.of({"y": sides[0]}, {"y": sides[1]}, pool.labels, Classification())
    scores = []
    for condition in CONDITIONS:
        size = PERTURBED[condition.perturbation.family] * condition.severity
        theirs, ours = endpoints(pool.logits + size * rng.normal(size=pool.logits.shape), rng)
        scores.append(clean.under(condition, {"y": theirs}, {"y": ours}))
    count = len(pool.labels)
    return Robustness(clean.task.metric, clean.scores, tuple(scores), count, count, "ab" * 32)


def _attacked(pool: Pool, rng: np.random.Generator) -> AdversarialSensitivity:
    """Attacks that lower the logit of the label, of both endpoints alike."""
    attacks = []
    for name, strength in (("FGSM", 1.5), ("PGD-10", 2.5)):
        attacked = pool.logits.copy()
        attacked[np.arange(len(pool.labels)), pool.labels] -= strength
        theirs, ours = (side.argmax(axis=1) == pool.labels for side in endpoints(attacked, rng))
        attacks.append(
            AttackRecord(
                attack=name,
                epsilon=1.0,
                epsilon_share=1 / 255,
                samples=len(pool.labels),
                reference_right=int(theirs.sum()),
                candidate_right=int(ours.sum()),
                reference_only=int((theirs & ~ours).sum()),
                candidate_only=int((ours & ~theirs).sum()),
            )
        )
    return AdversarialSensitivity(input="x", high=255.0, whole_numbers=True, clean=attacks[0], attacks=tuple(attacks))
