"""Samples: the data sets of a project's `[data]` as arrays, checked against its `[inputs]`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.datasets import MapStyle, open_dataset, ragged, stated_labels
from edgekit.datasets.classes import class_names
from edgekit.datasets.pictures import Picture, tally
from edgekit.errors import DataError, EdgekitError
from edgekit.ir.measurement import Array
from edgekit.specs.factory import RAISED, in_a_line
from edgekit.specs.inputs import Input
from edgekit.specs.project import LENGTHS, DataSet, Project

LABELS = "labels.npy"
FEW = 32
"""Smallest number that is stratified by class. Fewer samples, such as golden vectors, are spread over the set."""
READ_THROUGH = 20_000
"""Largest set that is read once for its labels alone, if it lists none: a minute at most."""
NUMBERS = "labels are whole numbers: indices into [model] classes"
STATED = (
    "[inputs] states one sample without a batch axis; where it is preprocessed, samples are uint8 [height, width, "
    "channels]"
)


@dataclass(frozen=True)
class Sampling:
    """Selection of samples from a larger set: their number, and the rule."""

    taken: int
    total: int
    stratified: bool
    """True if every class has its share of them; else they are spread over the order of the set."""
    changes: tuple[str, ...] = ()
    """Changes to pictures among them, each with its count, such as an orientation applied (docs/data.md)."""
    left_out: tuple[str, ...] = ()
    """Sentences on files of the whole set that could not be read, and on classes without a sample in it."""


@dataclass(frozen=True)
class Samples:
    """Inputs as the artifact takes them, with their labels, in a fixed order."""

    inputs: Mapping[str, Array]
    """Arrays [N, …] by input name, in the raw dtype. Of free lengths: padded, with the lengths, int64 [N], beside."""
    labels: Array
    """Classes, int64 [N], or targets, float64 [N, …]."""
    sampling: Sampling | None = None
    """Selection from the larger set; None where there is none."""

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in self.inputs.items())
        return f"<Samples {shapes}>"

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def digest(self) -> str:
        """SHA-256 over names, dtypes, shapes and values, in order."""
        sha = hashlib.sha256()
        for name, array in [*sorted(self.inputs.items()), ("labels", self.labels)]:
            sha.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()

    def save(self, folder: Path) -> None:
        """Write `<input>.npy` for every input, and `labels.npy`."""
        for name, array in self.inputs.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        np.save(folder / LABELS, self.labels, allow_pickle=False)

    @classmethod
    def read(cls, folder: Path) -> Samples:
        """Read the samples that `save` wrote to `folder`."""
        paths = sorted(path for path in folder.glob("*.npy") if path.name != LABELS)
        arrays = {path.stem: np.load(path, allow_pickle=False) for path in paths}
        return cls(arrays, np.load(folder / LABELS, allow_pickle=False))

    def take(self, indices: Sequence[int] | Array) -> Samples:
        """Select the samples at `indices`, in that order."""
        return Samples({name: array[indices] for name, array in self.inputs.items()}, self.labels[indices])


def load_samples(project: Project, role: str, limit: int | None = None) -> Samples:
    """Load the data set that plays `role` in the project, or `limit` samples of it, stratified by class.

    Where labels are no classes, or cannot be told without reading very many samples, they are spread over its order.
    Raises DataError if it is missing, empty, or not what `[inputs]` states; SpecError if its loader cannot be found.
    """
    declared: DataSet | None = getattr(project.data, role)
    if declared is None:
        raise DataError(f"project '{project.name}' states no {role} data", hint=f"add {role} = {{ … }} under [data]")
    where = f"{role} data of '{project.name}'"
    source = open_dataset(declared, project, where, partial=role == "calibration")
    total = len(source)
    if total == 0:
        raise DataError(f"the {where} is empty", hint=f"[data] {role} must name at least one sample")
    chosen, stratified = _chosen(source, total, limit, where)
    samples, changes = _collect(source, chosen, project.inputs, where)
    _check_labels(samples.labels, project, where)
    left_out = (*getattr(source, "left_out", ()), *_without_samples(source, samples.labels, project, role, where))
    return replace(samples, sampling=Sampling(len(chosen), total, stratified, changes, left_out))


def stratified(classes: Array, count: int) -> list[int]:
    """Select `count` indices into `classes`, int [N], ascending: of every class its share, spread over its samples.

    Proportional allocation, rounded by largest remainder (Hamilton's method); of equals the smaller class label first.
    """
    _, members, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    shares, remainders = np.divmod(count * sizes, len(classes))
    more = np.argsort(-remainders, kind="stable")[: count - shares.sum()]
    shares[more] += 1
    places = (np.flatnonzero(members == k) for k in range(len(sizes)))
    return sorted(int(place[i]) for place, share in zip(places, shares, strict=True) for i in spread(len(place), share))


def spread(total: int, count: int) -> list[int]:
    """Select `count` of `total` indices, ascending: one at random from each of `count` equal stretches (fixed seed).

    Stratified over the order of the set: a set sorted by class keeps its proportions, and one whose classes take turns
    does not fall into step with the choice.
    """
    edges = np.linspace(0, total, count + 1)
    draws = np.random.default_rng(0).random(count)
    return [int(low + (high - low) * draw) for low, high, draw in zip(edges, edges[1:], draws, strict=False)]


def _chosen(source: MapStyle, total: int, limit: int | None, where: str) -> tuple[Sequence[int], bool]:
    """Select the indices of the samples; true if they are stratified by class."""
    if limit is None or limit >= total:
        return range(total), False
    classes = _classes(source, total, where) if limit >= FEW else None
    if classes is None or len(np.unique(classes)) > limit:
        return spread(total, limit), False
    return stratified(classes, limit), True


def _classes(source: MapStyle, total: int, where: str) -> Array | None:
    """Read every sample's label, int [N]; None if labels are no classes or the set is too large to read."""
    labels = stated_labels(source)
    if labels is None and total <= READ_THROUGH:
        try:
            labels = np.asarray([label for _, (_, label) in _items(source, range(total), where)])
        except ValueError:  # of different shapes
            return None
    return labels if labels is not None and labels.ndim == 1 and labels.dtype.kind in "iu" else None


def _collect(
    source: MapStyle, chosen: Sequence[int], inputs: Mapping[str, Input], where: str
) -> tuple[Samples, tuple[str, ...]]:
    """Read the chosen samples; the second result counts the changes to pictures among them."""
    pictures = []
    columns: dict[str, list[Array]] = {name: [] for name in inputs}
    lengths: dict[str, list[int]] = {}
    labels = []
    for i, (values, label) in _items(source, chosen, where):
        named = values if isinstance(values, Mapping) else {next(iter(inputs)): values}
        named = ragged.masked(named, inputs)
        if set(named) != set(inputs):
            raise DataError(
                f"the {where}: sample {i} has inputs {sorted(named)}, the project states {sorted(inputs)}", hint=STATED
            )
        for name, spec in inputs.items():
            columns[name].append(_checked(np.asarray(named[name]), spec, f"the {where}: sample {i}: '{name}'"))
        row = {name: column[-1] for name, column in columns.items()}
        for name, length in ragged.sample_lengths(row, inputs, f"the {where}: sample {i}").items():
            lengths.setdefault(name + LENGTHS, []).append(length)
        pictures += [value for value in named.values() if isinstance(value, Picture)]
        labels.append(label)
    stacked = {name: ragged.stacked(column, inputs[name].pad) for name, column in columns.items()}
    stacked |= {name: np.array(column, np.int64) for name, column in lengths.items()}
    return Samples(stacked, _label_array(labels, where, uneven=bool(lengths))), tally(pictures)


def _items(source: MapStyle, chosen: Sequence[int], where: str) -> Iterator[tuple[int, tuple[Any, Any]]]:
    for i in chosen:
        try:
            values, label = source[i]
        except EdgekitError:
            raise
        except RAISED as error:
            raise DataError(
                f"the {where}: sample {i} cannot be read: {in_a_line(error)}",
                hint="a data set's [i] gives (input, label); try it alone in Python",
            ) from error
        yield i, (values, label)


def _checked(array: Array, spec: Input, where: str) -> Array:
    if not ragged.fits(array, spec):
        raise DataError(
            f"{where} has shape {list(array.shape)}, the project states {list(spec.raw_shape)}", hint=STATED
        )
    if array.dtype != np.dtype(spec.raw_dtype):
        raise DataError(f"{where} is {array.dtype}, the project states {spec.raw_dtype}", hint=STATED)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{where} holds NaN or infinite values", hint="repair that sample, or leave it out")
    ragged.check_vocabulary(array, spec, where)
    return array


def _label_array(labels: list[Any], where: str, uneven: bool = False) -> Array:
    """Labels as an array; of samples of free lengths they may have as many, and are padded with -1."""
    arrays = [np.asarray(label) for label in labels]
    if uneven and arrays[0].ndim and len({array.ndim for array in arrays}) == 1:
        return _numbers(ragged.stacked(arrays, ragged.NO_LABEL), where)
    try:
        array = np.asarray(arrays)
    except ValueError as error:
        raise DataError(f"the {where}: labels have different shapes", hint=NUMBERS) from error
    return _numbers(array, where)


def _numbers(array: Array, where: str) -> Array:
    if array.dtype.kind not in "iufb":
        raise DataError(f"the {where}: labels are {array.dtype}, not numbers", hint=NUMBERS)
    return array.astype(np.int64 if array.dtype.kind in "iub" else np.float64)


def _check_labels(labels: Array, project: Project, where: str) -> None:
    """Raise DataError if a label is no index into the project's classes."""
    classes = class_names(project)
    if not classes or labels.dtype.kind != "i":
        return
    beyond = labels == ragged.NO_LABEL if project.lengths and labels.ndim > 1 else np.zeros(labels.shape, np.bool_)
    wrong = np.argwhere(((labels < 0) | (labels >= len(classes))) & ~beyond)
    if len(wrong):
        raise DataError(
            f"the {where}: label {labels[tuple(wrong[0])]} of sample {wrong[0][0]} is outside 0 to {len(classes) - 1}",
            hint=NUMBERS,
        )


def _without_samples(
    source: MapStyle, sample_labels: Array, project: Project, role: str, where: str
) -> tuple[str, ...]:
    """Describe the classes that the evaluation set has no sample of, where its labels can be read."""
    classes = class_names(project) if role == "evaluation" else ()
    labels = sample_labels if len(sample_labels) == len(source) else stated_labels(source)
    if not classes or labels is None or labels.dtype.kind not in "iu":
        return ()
    present = set(labels.ravel().tolist())
    missing = [name for label, name in enumerate(classes) if label not in present]
    if not missing:
        return ()
    names = ", ".join(f"'{name}'" for name in missing[:5]) + (", …" if len(missing) > 5 else "")
    return (f"{len(missing):,} of {len(classes):,} classes have no sample in the {where}: {names}.",)
