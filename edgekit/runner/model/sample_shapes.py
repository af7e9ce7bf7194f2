"""Shapes of one sample of a model with free lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import RunnerError
from .manifest import ModelTensor, RunnerManifest


def shape_at(tensor: ModelTensor, lengths: Mapping[str, int]) -> tuple[int, ...]:
    """Shape of a tensor where the free lengths are `lengths`, by name."""
    sizes = list(tensor.shape)
    for axis in tensor.free:
        sizes[axis.axis] = axis.at(lengths[axis.length])
    return tuple(sizes)


def lengths_of(arrays: Sequence[Any], tensors: Sequence[ModelTensor]) -> dict[str, int]:
    """Free lengths of one sample's inputs, by name."""
    return {axis.length: arrays[i].shape[axis.axis] for i, tensor in enumerate(tensors) for axis in tensor.free}


def check_lengths(arrays: Sequence[Any], manifest: RunnerManifest) -> None:
    """Raise RunnerError (data) if a length of one sample's inputs is not admissible, or differs between two."""
    known = {length.name: length for length in manifest.lengths}
    for i, tensor in enumerate(manifest.inputs):
        for axis in tensor.free:
            actual, length = arrays[i].shape[axis.axis], known[axis.length]
            if not length.admits(actual):
                raise RunnerError(
                    "data",
                    f"'{tensor.name}' has the length {actual}, the model takes {length.least} to {length.most} "
                    f"in steps of {length.step}",
                )
            if actual != lengths_of(arrays, manifest.inputs)[axis.length]:
                raise RunnerError("data", f"two inputs have different lengths '{axis.length}'")
