"""The samples that a bare model is probed with: a project's, or arrays of the user's own, and never made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.samples import Samples
from edgekit.untrusted.npy import read_npz

LABELS = "labels"
UNLABELLED = -1
"""The class of a sample of which nobody said one: no answer is right."""
INPUTS = "--inputs FILE.npz takes what the model takes: an array each, by the name of its input, one row a sample"


def samples_for(signature: Signature, samples: Samples) -> Samples:
    """The samples under the names of the model's inputs: by name where those are the same, else by what fits.

    Raises DataError if the model takes something else, such as preprocessed values where samples are raw pixels.
    """
    names = [spec.name for spec in signature.inputs]
    if set(names) == set(samples.inputs):
        chosen = {name: samples.inputs[name] for name in names}
    elif len(names) == len(samples.inputs):
        chosen = _by_kind(signature, samples)
    else:
        raise _unlike(signature, samples)
    if not all(_fits(chosen[spec.name], spec) for spec in signature.inputs):
        raise _unlike(signature, samples)
    return replace(samples, inputs=chosen)


def read_inputs(path: Path, signature: Signature) -> Samples:
    """Samples from a `.npz` that has an array [N, …] for each input, as the model takes it, and `labels` if it likes.

    Raises DataError.
    """
    try:
        arrays = read_npz(path)
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read as arrays: {error}", hint=INPUTS) from error
    for spec in signature.inputs:
        if spec.name not in arrays:
            found = ", ".join(sorted(arrays)) or "nothing"
            raise DataError(f"'{path}' has no array '{spec.name}', it has {found}", hint=_wanted(signature))
        if not _fits(arrays[spec.name], spec) or not len(arrays[spec.name]):
            found = _described(arrays[spec.name])
            raise DataError(f"'{spec.name}' in '{path}' is {found}", hint=_wanted(signature))
    names = {spec.name for spec in signature.inputs}
    count = len(arrays[signature.inputs[0].name])
    labels = arrays[LABELS] if LABELS in set(arrays) - names else np.full(count, UNLABELLED, np.int64)
    if {len(arrays[name]) for name in names} != {count} or labels.shape[:1] != (count,):
        raise DataError(f"the arrays in '{path}' have different lengths", hint=INPUTS)
    return Samples({name: arrays[name] for name in sorted(names)}, labels)


def _by_kind(signature: Signature, samples: Samples) -> dict[str, Array]:
    """By dtype and shape, where that leaves no doubt."""
    kinds = {(spec.dtype, spec.shape) for spec in signature.inputs}
    if len(kinds) < len(signature.inputs):
        names = ", ".join(spec.name for spec in signature.inputs)
        raise DataError(
            f"the model's inputs {names} are alike, and none is named as the samples' {', '.join(samples.inputs)}",
            hint=INPUTS,
        )
    chosen = {}
    for spec in signature.inputs:
        fitting = [array for array in samples.inputs.values() if _fits(array, spec)]
        if not fitting:
            raise _unlike(signature, samples)
        chosen[spec.name] = fitting[0]
    return chosen


def _fits(array: Array, spec: TensorSpec) -> bool:
    return array.dtype == np.dtype(spec.dtype) and array.ndim == len(spec.shape) and array.shape[1:] == spec.shape[1:]


def _unlike(signature: Signature, samples: Samples) -> DataError:
    raw = ", ".join(f"{name}: {_described(array)}" for name, array in samples.inputs.items())
    floats = any(np.dtype(spec.dtype).kind == "f" for spec in signature.inputs)
    pixels = any(array.dtype == np.uint8 for array in samples.inputs.values())
    why = "; it takes preprocessed values, an artifact of edgekit's preprocesses by itself" if floats and pixels else ""
    return DataError(f"the model takes {_taken(signature)}, the samples are {raw}{why}", hint=INPUTS)


def _wanted(signature: Signature) -> str:
    return f"the model takes {_taken(signature)}"


def _taken(signature: Signature) -> str:
    return ", ".join(
        f"{spec.name}: {spec.dtype}[{', '.join(['N', *map(str, spec.shape[1:])])}]" for spec in signature.inputs
    )


def _described(array: Array) -> str:
    return f"{array.dtype}[{', '.join(['N', *map(str, array.shape[1:])])}]"
