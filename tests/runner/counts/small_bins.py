"""Bins of the small model that tests of the runner serve."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.ir.signature import TensorSpec
from edgekit.parity.frozen_bins import freeze_bins
from edgekit.runner.counts.bins import FrozenBins
from edgekit.specs.monitor import MonitorSpec
from tests.runner import slot

SIGNATURE = (TensorSpec("image", "uint8", (1, 4, 4, 3)), TensorSpec("bias", "float32", (1, 5)))


def scores_of(given: Mapping[str, Array]) -> Array:
    scores: Array = given["image"].reshape(-1, 48).astype(np.float32) @ slot.WEIGHTS + given["bias"]
    return scores


def frozen(count: int = 200, noise: float = 0.3) -> FrozenBins:
    """Bins by `count` samples, of which some are labelled otherwise than they are answered."""
    given = slot.inputs(count, seed=11)
    scores = scores_of(given)
    labels = (scores + noise * np.random.default_rng(0).normal(size=scores.shape) * scores.std()).argmax(axis=1)
    limits = MonitorSpec().model_dump(mode="json")
    return freeze_bins("classification", "artifact", {"scores": scores}, labels, given, SIGNATURE, limits)
