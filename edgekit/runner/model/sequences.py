"""Sequences on the device: arrays of samples with a time axis, and the state that their model begins with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import RunnerError
from .carried_state import StatefulCall, StatePlaces
from .tensors import read_columns

if TYPE_CHECKING:
    from .manifest import ModelState, ModelTensor, RunnerManifest
    from .tensors import Array, Call


def read_samples(folder: Path, manifest: RunnerManifest) -> list[Array]:
    """Map the samples in `folder`, [N, …] an input; of a model with state sequences, [N, T, …].

    Raises RunnerError (data) as `read_columns` does.
    """
    return read_columns(folder, manifest.sampled, timed=bool(manifest.state))


def read_steps(folder: Path, manifest: RunnerManifest) -> tuple[list[Array], int | None]:
    """Map the samples in `folder` as single inferences, [N, …]; of sequences all steps, one after another.

    The second result is the number of steps of a sequence, None without state. Raises as `read_columns` does.
    """
    columns = read_samples(folder, manifest)
    if not manifest.state:
        return columns, None
    return [column.reshape(-1, *column.shape[2:]) for column in columns], columns[0].shape[1]


def with_state(call: Call, manifest: RunnerManifest, period: int | None = None) -> StatefulCall:
    """Make a model carry its state from call to call. period: steps of a sequence, where calls go on for ever.

    Raises RunnerError (data) for an initial state that cannot be read, or whose input and output are not alike.
    """
    inputs = {tensor.name: k for k, tensor in enumerate(manifest.inputs)}
    outputs = {tensor.name: k for k, tensor in enumerate(manifest.outputs)}
    places, initial = [], []
    for pair in manifest.state:
        if pair.input not in inputs or pair.output not in outputs:
            raise RunnerError("data", f"its manifest names a state '{pair.input}' that the model does not have")
        place = StatePlaces(inputs[pair.input], outputs[pair.output], pair.append)
        _check_alike(manifest.inputs[place.input], manifest.outputs[place.output], pair.append)
        places.append(place)
        initial.append(_initial(pair, manifest.inputs[place.input]))
    return StatefulCall(call, places, initial, period, in_place=True)


def sequence_outputs(call: StatefulCall, manifest: RunnerManifest, columns: Sequence[Array]) -> list[Array]:
    """Run every sequence of `columns`, [N, T, …], from the initial state: one array [N, T, …] a reported output."""
    count, steps = columns[0].shape[:2]
    places = [k for k, tensor in enumerate(manifest.outputs) if tensor in manifest.reported]
    stored = [np.empty((count, steps, *manifest.outputs[k].shape[1:]), manifest.outputs[k].dtype) for k in places]
    for i in range(count):
        call.reset()
        sequence = [np.array(column[i]) for column in columns]
        for t in range(steps):
            outputs = call([data[t : t + 1] for data in sequence])
            for column, k in zip(stored, places):
                column[i, t] = outputs[k][0]
    return stored


def _check_alike(one: ModelTensor, other: ModelTensor, append: int | None) -> None:
    """Raise RunnerError (data) unless the bytes of an output are those of an input, or of one entry on its axis."""
    shape = tuple(1 if axis == append else size for axis, size in enumerate(one.shape))
    if one._replace(name="", shape=shape) != other._replace(name=""):
        raise RunnerError("data", f"state '{one.name}' is {one}, '{other.name}' is {other}: they are not alike")


def _initial(pair: ModelState, tensor: ModelTensor) -> Array:
    if pair.initial is None:
        # Zero in real values, if integers stand for them.
        return np.full(tensor.shape, tensor.zero_point, tensor.dtype)
    try:
        array: Array = np.load(pair.initial, allow_pickle=False)
    except Exception as error:  # numpy evaluates the header as Python
        raise RunnerError("data", f"'{pair.initial}' cannot be read: {type(error).__name__}: {error}") from error
    if array.dtype != np.dtype(tensor.dtype) or array.shape != tensor.shape:
        raise RunnerError("data", f"'{pair.initial}' is {array.dtype}{list(array.shape)}, the state is {tensor}")
    return array
