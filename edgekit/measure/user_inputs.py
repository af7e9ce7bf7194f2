"""Samples for probing a bare model: a project's, or arrays of the user's own. They are never made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.samples import Samples
from edgekit.specs.project import LENGTHS
from edgekit.tasks.label_arrays import unlabelled
from edgekit.untrusted.npy import read_npz

LABELS = "labels"
INPUTS = "--inputs FILE.npz takes what the model takes: an array each, by the name of its input, one row a sample"


def samples_for(signature: Signature, samples: Samples) -> Samples:
    """Rename the inputs of `samples` to the model's: by name where these agree, else by dtype and shape.

    Raises DataError if the model takes something else, such as preprocessed values where samples are raw pixels.
    """
    names = [spec.name for spec in signature.sampled]
    columns = {length.name + LENGTHS for length in signature.lengths} & samples.inputs.keys()
    lengths = {name: samples.inputs[name] for name in columns}
    samples = replace(samples, inputs={name: each for name, each in samples.inputs.items() if name not in columns})
    if set(names) == set(samples.inputs):
        chosen = {name: samples.inputs[name] for name in names}
    elif len(names) == len(samples.inputs):
        chosen = _by_kind(signature, samples)
    else:
        raise _mismatch(signature, samples)
    timed = bool(signature.state)
    if timed != (samples.length is not None):
        kinds = ("sequences", "single samples")
        takes, has = kinds if timed else kinds[::-1]
        raise DataError(f"the model takes {takes}, the samples are {has}", hint=INPUTS)
    if not all(_fits(chosen[spec.name], spec, timed) for spec in signature.sampled):
        raise _mismatch(signature, samples)
    return replace(samples, inputs={**chosen, **lengths})


def read_inputs(path: Path, signature: Signature) -> Samples:
    """Read samples from a `.npz` with an array [N, …] for each input of the model and, optionally, `labels` [N, …].

    For a model with state arrays are [N, T, …], without its state. Raises DataError.
    """
    timed = bool(signature.state)
    try:
        arrays = read_npz(path)
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read as arrays: {error}", hint=INPUTS) from error
    for spec in signature.sampled:
        if spec.name not in arrays:
            present = ", ".join(sorted(arrays)) or "nothing"
            raise DataError(f"'{path}' has no array '{spec.name}', it has {present}", hint=_expectation(signature))
        if not _fits(arrays[spec.name], spec, timed) or not arrays[spec.name].size:
            actual = _described(arrays[spec.name])
            raise DataError(f"'{spec.name}' in '{path}' is {actual}", hint=_expectation(signature))
    names = {spec.name for spec in signature.sampled}
    count = len(arrays[signature.sampled[0].name])
    labels = arrays[LABELS] if LABELS in set(arrays) - names else unlabelled(count)
    if len({arrays[name].shape[: 1 + timed] for name in names}) > 1 or labels.shape[:1] != (count,):
        raise DataError(f"the arrays in '{path}' have different lengths", hint=INPUTS)
    steps = arrays[signature.sampled[0].name].shape[1] if timed else 0
    return Samples(
        {name: arrays[name] for name in sorted(names)}, labels, length=np.full(count, steps) if timed else None
    )


def input_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of one sample of each array in a `.npz`, with a batch axis of 1, by name. Raises DataError."""
    try:
        arrays = read_npz(path)
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read as arrays: {error}", hint=INPUTS) from error
    return {name: (1, *array.shape[1:]) for name, array in arrays.items() if name != LABELS and array.ndim}


def _by_kind(signature: Signature, samples: Samples) -> dict[str, Array]:
    """Match arrays to inputs by dtype and shape. Raises DataError where two inputs are alike."""
    kinds = {(spec.dtype, spec.shape) for spec in signature.sampled}
    if len(kinds) < len(signature.sampled):
        names = ", ".join(spec.name for spec in signature.sampled)
        raise DataError(
            f"the model's inputs {names} are alike, and none is named as the samples' {', '.join(samples.inputs)}",
            hint=INPUTS,
        )
    chosen = {}
    for spec in signature.sampled:
        fitting = [array for array in samples.inputs.values() if _fits(array, spec, bool(signature.state))]
        if not fitting:
            raise _mismatch(signature, samples)
        chosen[spec.name] = fitting[0]
    return chosen


def _fits(array: Array, spec: TensorSpec, timed: bool) -> bool:
    """True for an array [N, …] of samples of this input; timed: [N, T, …], of sequences."""
    axes = 2 if timed else 1
    rest = spec.shape[1:]
    if array.dtype != np.dtype(spec.dtype) or array.ndim != axes + len(rest):
        return False
    free = {axis.axis - 1 for axis in spec.free}
    return all(
        size == stated or (axis in free and size <= stated)
        for axis, (size, stated) in enumerate(zip(array.shape[axes:], rest, strict=True))
    )


def _mismatch(signature: Signature, samples: Samples) -> DataError:
    raw = ", ".join(f"{name}: {_described(array)}" for name, array in samples.inputs.items())
    floats = any(np.dtype(spec.dtype).kind == "f" for spec in signature.inputs)
    pixels = any(array.dtype == np.uint8 for array in samples.inputs.values())
    why = "; it takes preprocessed values, an artifact of edgekit's preprocesses by itself" if floats and pixels else ""
    return DataError(f"the model takes {_inputs_text(signature)}, the samples are {raw}{why}", hint=INPUTS)


def _expectation(signature: Signature) -> str:
    return f"the model takes {_inputs_text(signature)}"


def _inputs_text(signature: Signature) -> str:
    lead = ["N", "T"] if signature.state else ["N"]
    return ", ".join(
        f"{spec.name}: {spec.dtype}[{', '.join([*lead, *map(str, spec.shape[1:])])}]" for spec in signature.sampled
    )


def _described(array: Array) -> str:
    return f"{array.dtype}[{', '.join(['N', *map(str, array.shape[1:])])}]"
