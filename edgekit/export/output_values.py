"""Meaning of the numbers in an output: logits, probabilities, or what the task takes them for."""

from __future__ import annotations

from typing import Literal

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.ir.signature import TensorSpec
from edgekit.tasks.class_scores import SUM_TOLERANCE

Values = Literal["logits", "probabilities", "answers"]
SHARES = {"classification": True, "multi-label": False}
"""Tasks whose outputs are scores of classes; True where the probabilities of a sample add up to 1."""


def output_values(task: str, spec: TensorSpec, golden: Array, classes: int) -> Values:
    """Tell what an output holds, by its golden values, as stored [count, …].

    Scores of classes are probabilities where all lie in [0, 1] and, for one right class, add up to 1; else they are
    logits. Everything else is "answers": docs/tasks.md says how each task reads them.
    """
    if task not in SHARES or golden.ndim < 2 or golden.shape[-1] != max(classes, 2) or not golden.size:
        return "answers"
    if golden.dtype.kind not in "fiu" or (golden.dtype.kind in "iu" and spec.affine is None):
        return "answers"
    values = reals(golden, spec)
    # Rounded probabilities may each be wrong by half a step of their scale.
    rounding = golden.shape[-1] * spec.affine.scale / 2 if spec.affine else 0.0
    bounded = bool((values >= 0).all() and (values <= 1 + rounding).all())
    adds_up = bool((np.abs(values.sum(axis=-1) - 1) <= SUM_TOLERANCE + rounding).all())
    return "probabilities" if bounded and (adds_up or not SHARES[task]) else "logits"


def reals(stored: Array, spec: TensorSpec) -> Array:
    """Real values float64 of a stored array."""
    values = stored.astype(np.float64)
    return values if spec.affine is None else spec.affine.scale * (values - spec.affine.zero_point)
