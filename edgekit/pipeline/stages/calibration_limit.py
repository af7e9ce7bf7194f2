"""Number of calibration samples: what the recipe states, else as many of 512 as a fixed size of memory holds."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from edgekit.ir.plural import counted
from edgekit.specs.compression import Quantize
from edgekit.specs.inputs import Input

HELD_BYTES = 1 << 30
"""Size of the calibration set in memory. Fixed, so that the same project gives the same file whatever is free."""
LEAST = 32
"""Number that is taken however large a sample is: ranges of fewer are chance."""


def calibration_limit(recipe: Quantize, inputs: Mapping[str, Input]) -> int:
    """Largest number of calibration samples for a recipe.

    inputs: of the project; free lengths count by their greatest.
    """
    if "samples" in recipe.model_fields_set:
        return recipe.samples
    return min(recipe.samples, max(LEAST, HELD_BYTES // max(1, sample_bytes(inputs))))


def sample_bytes(inputs: Mapping[str, Input]) -> int:
    """Size of one sample in bytes; of a sequence, of one step."""
    return sum(math.prod(spec.raw_shape) * np.dtype(spec.raw_dtype).itemsize for spec in inputs.values())


def limit_remark(recipe: Quantize, inputs: Mapping[str, Input]) -> tuple[str, ...]:
    """Sentence for the report where memory limits the calibration set; empty where it does not."""
    limit = calibration_limit(recipe, inputs)
    if limit == recipe.samples:
        return ()
    size = f"{sample_bytes(inputs) / 1e6:,.1f} MB"
    return (
        f"ranges were found on at most {counted(limit, 'calibration sample')} of {size}, which is what 1 GiB holds; "
        f"for more: --set profile.quantize.samples={recipe.samples}",
    )
