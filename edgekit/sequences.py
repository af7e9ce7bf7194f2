"""Sequences: samples of a model with state, each with a time axis first, gathered into arrays of one length."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.errors import DataError, SequenceError
from edgekit.ir.measurement import Array
from edgekit.specs.project import Project
from edgekit.specs.state import FOLDER, ZEROS, StateTensor, cache_size
from edgekit.tasks.task_over_time import BY_STEP
from edgekit.untrusted.npy import DAMAGED, read_npy

LENGTH = "length"
"""Name of the array, int64 [N], in a `.npz` of padded sequences: the steps of each."""
LENGTHS = f"{FOLDER}/steps/length.npy"
"""File of the lengths in a folder of samples: in a folder of its own, as an input may have any name."""
SEQUENCE = "with [state] each array of a sample is [steps, …] by [inputs], and all of a sample have as many steps"
LABEL = "a label is one for the sequence, or there is one a step: an array with as many entries as there are steps"


def gather(rows: Sequence[tuple[str, Mapping[str, Array]]]) -> tuple[dict[str, Array], Array]:
    """Join sequences, arrays [T, …] by input name: arrays [N, longest T, …], and the steps of each, int64 [N].

    Shorter ones are filled with their last step. Each row begins with the name of its place, for errors. Raises
    SequenceError for a sequence without steps, or whose arrays have different numbers of them.
    """
    length = np.array([_step_count(arrays, where) for where, arrays in rows], np.int64)
    return {name: _padded([arrays[name] for _, arrays in rows]) for name in rows[0][1]}, length


def sequence_labels(
    rows: Sequence[tuple[str, Mapping[str, Array], Any]], length: Array, collect: Callable[[Sequence[Any]], Array]
) -> Array:
    """Labels of sequences: [N, …] where there is one for each, or [N, longest T, …] where there is one a step.

    collect: makes one array [M, …] of M labels, as the task does. Raises SequenceError for labels of another length,
    or of both kinds.
    """
    per_step = [np.ndim(label) > 0 for _, _, label in rows]
    if not any(per_step):
        return collect([label for _, _, label in rows])
    if not all(per_step):
        where = rows[per_step.index(False)][0]
        raise SequenceError(f"{where} has one label for the sequence, others have one a step", hint=LABEL)
    for (where, _, label), steps in zip(rows, length.tolist(), strict=True):
        if len(label) != steps:
            raise SequenceError(f"{where}: its label has {len(label)} entries for {steps} steps", hint=LABEL)
    try:
        flat = collect([entry for _, _, label in rows for entry in label])
    except DataError as error:
        raise DataError(f"{error}, {BY_STEP}", hint=error.hint) from error
    return _padded(np.split(flat, np.cumsum(length)[:-1]))


def trimmed(
    columns: Mapping[str, Array], labels: Array, lengths: Array, where: str
) -> tuple[dict[str, list[Array]], Array | list[Array]]:
    """Cut padded sequences, arrays [N, T, …], and labels of steps, [N, T, …], to their lengths.

    Raises SequenceError, which `where` begins, unless there are N lengths from 1 to T.
    """
    steps = min(column.shape[1] if column.ndim > 1 else 0 for column in columns.values())
    if lengths.shape != (len(labels),) or lengths.dtype.kind not in "iu":
        described = f"{lengths.dtype}{list(lengths.shape)}"
        raise SequenceError(f"{where}: '{LENGTH}' is {described}", hint=f"'{LENGTH}' is int64 [{len(labels)}]")
    wrong = np.flatnonzero((lengths < 1) | (lengths > steps))
    if len(wrong):
        raise SequenceError(
            f"{where}: '{LENGTH}' of sample {wrong[0]} is {lengths[wrong[0]]}",
            hint=f"the steps of each sequence, from 1 to the {steps} of the arrays",
        )
    per_step = labels.ndim > 1 and labels.shape[1] == steps
    inputs = {name: _cut(column, lengths) for name, column in columns.items()}
    return inputs, _cut(labels, lengths) if per_step else labels


def check_caches(lengths: Array, state: Mapping[str, StateTensor], where: str) -> None:
    """Raise SequenceError, which `where` begins, if a sequence has more steps than a cache holds."""
    cache = cache_size(state)
    if cache and len(lengths) and lengths.max() > cache[1]:
        longest = f"sample {int(lengths.argmax())} has {lengths.max()} steps"
        raise SequenceError(
            f"{where}: {longest}, the cache '{cache[0]}' holds {cache[1]}",
            hint=f"cut sequences to {cache[1]} steps, or state a longer cache: [state] {cache[0]}",
        )


def initial_state(project: Project) -> dict[str, Array]:
    """Read the initial states that are files of the project, by input name. Raises DataError for one that does not fit.

    One that is zeros is left out.
    """
    files = {name: spec for name, spec in project.state.items() if spec.initial != ZEROS}
    return {name: _read_state(project.root / spec.initial, name, spec) for name, spec in files.items()}


def save_sequences(length: Array, initial: Mapping[str, Array], folder: Path) -> None:
    """Write the lengths of sequences, int64 [N], and initial states by input name, below `folder/state`."""
    (folder / LENGTHS).parent.mkdir(parents=True)
    np.save(folder / LENGTHS, length, allow_pickle=False)
    for name, array in initial.items():
        np.save(folder / FOLDER / f"{name}.npy", array, allow_pickle=False)


def read_sequences(folder: Path) -> tuple[Array | None, dict[str, Array]]:
    """Read the lengths and initial states that `save_sequences` wrote; None and nothing if it wrote none."""
    if not (folder / LENGTHS).is_file():
        return None, {}
    initial = {path.stem: np.load(path, allow_pickle=False) for path in sorted((folder / FOLDER).glob("*.npy"))}
    return np.load(folder / LENGTHS, allow_pickle=False), initial


def _step_count(arrays: Mapping[str, Array], where: str) -> int:
    counts = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        described = ", ".join(f"'{name}' {count}" for name, count in counts.items())
        raise SequenceError(f"{where}: its arrays have different numbers of steps: {described}", hint=SEQUENCE)
    if not all(counts.values()):
        raise SequenceError(f"{where} has no steps: a sequence needs one at least", hint=SEQUENCE)
    return next(iter(counts.values()))


def _cut(column: Array, lengths: Array) -> list[Array]:
    return [row[:count] for row, count in zip(column, lengths.tolist(), strict=True)]


def _padded(rows: Sequence[Array]) -> Array:
    longest = max(len(row) for row in rows)
    return np.stack([np.concatenate([row, np.repeat(row[-1:], longest - len(row), axis=0)]) for row in rows])


def _read_state(path: Path, name: str, spec: StateTensor) -> Array:
    where = f"the initial state '{spec.initial}' of '{name}'"
    hint = f"[state] {name}: initial is 'zeros', or a .npy file of {spec.dtype}{list(spec.shape)}"
    try:
        array = read_npy(path)
    except FileNotFoundError as error:
        raise DataError(f"{where} is missing", hint=hint) from error
    except DAMAGED as error:
        raise DataError(f"{where} cannot be read: {error}", hint=hint) from error
    if array.dtype != np.dtype(spec.dtype) or array.shape != spec.shape:
        raise DataError(f"{where} is {array.dtype}{list(array.shape)}", hint=hint)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{where} holds NaN or infinite values", hint=hint)
    return array
