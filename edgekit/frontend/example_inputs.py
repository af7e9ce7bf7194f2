"""Example inputs that a network is traced with: drawn, or a calibration sample. Batch 1, greatest lengths."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from edgekit.frontend.state import initial_tensors
from edgekit.samples import load_samples
from edgekit.sequences import initial_state
from edgekit.specs.project import Project

WHOLE = ("int32", "int64", "bool")


def drawn_examples(project: Project) -> tuple[Tensor, ...]:
    """Inputs drawn at random, the same ones each time, and the initial state.

    Zeros for plain integers: they are indices, and 0 is the one index that every table has. Masks are ones.
    """
    random = np.random.default_rng(0)
    arrays = []
    masks = {spec.mask for spec in project.inputs.values()}
    for name, spec in project.inputs.items():
        shape = (1, *spec.raw_shape)
        pixels = random.integers(0, 256, shape) if spec.preprocess else random.random(shape)
        if spec.raw_dtype == "int16":
            pixels = random.integers(-(2**15), 2**15, shape)
        values = np.zeros(shape) if spec.dtype in WHOLE or name in masks else pixels
        arrays.append(torch.from_numpy((values + 1 if name in masks else values).astype(spec.raw_dtype)))
    return (*arrays, *initial_tensors(project, initial_state(project)))


def sampled_examples(project: Project) -> tuple[Tensor, ...] | None:
    """Inputs of a calibration sample, and the initial state.

    None for a project without plain integers, whose values alone are not drawn, or without calibration data. Of a
    sequence its first step. Raises what loading the data does.
    """
    if project.data.calibration is None or all(spec.dtype not in WHOLE for spec in project.inputs.values()):
        return None
    samples = load_samples(project, "calibration", limit=1, steps=1 if project.state else None)
    arrays = []
    for name, spec in project.inputs.items():
        array = samples.inputs[name][:, 0] if project.state else samples.inputs[name]
        missing = [(0, stated - size) for stated, size in zip((1, *spec.raw_shape), array.shape, strict=True)]
        arrays.append(torch.from_numpy(np.pad(array, missing, constant_values=spec.pad).astype(spec.raw_dtype)))
    return (*arrays, *initial_tensors(project, initial_state(project)))
