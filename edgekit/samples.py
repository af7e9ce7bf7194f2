"""Samples: the data sets of a project's `[data]` as arrays, checked against its `[inputs]`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edgekit.datasets import MapStyle, free_lengths, open_dataset, sample_groups, stated_labels
from edgekit.datasets.classes import class_names, without_samples
from edgekit.datasets.items import checked, named_inputs, read_items
from edgekit.datasets.metadata import Metadata, sample_ids
from edgekit.datasets.metadata_columns import StatedColumns, computed_columns, stated_columns
from edgekit.datasets.pictures import Picture, tally
from edgekit.datasets.processors import Processor, as_text, processors, smallest
from edgekit.datasets.tokenizer import check_ids, read_tokenizers
from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.sequences import check_caches, gather, initial_state, read_sequences, save_sequences, sequence_labels
from edgekit.specs.project import LENGTHS, DataSet, Project
from edgekit.stratification import FEW, paired, spread, stratified
from edgekit.tasks.label_arrays import unlabelled
from edgekit.tasks.registry import task_of

LABELS = "labels.npy"
GROUPS = Path("groups") / "groups.npy"
"""Place of the groups in a folder of samples; in a folder of its own, as an input may have that name."""
READ_THROUGH = 20_000
"""Largest set that is read once for its labels alone, if it lists none: a minute at most."""
RAW_FOLDER = "raw"
TEXTS = "texts.json"
RAW = 2
"""Raw samples that are kept beside the samples made of them, for the self-test of devices."""
AMONG = 4
"""First samples of a set, of which the smallest raw ones are kept."""


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
    """Sentences on files of the whole set that could not be read, on lines of metadata that are of no file of it, and
    on classes without a sample in it."""


@dataclass(frozen=True)
class Samples:
    """Inputs as the artifact takes them, with their labels, in a fixed order."""

    inputs: Mapping[str, Array]
    """Arrays [N, …] by input name, in the raw dtype. Of free lengths: padded, with the lengths, int64 [N], beside."""
    labels: Array
    """Labels as the task collects them: classes int64 [N], targets float64 [N, …]; int64 [N, 0] where there is none."""
    sampling: Sampling | None = None
    """Selection from the larger set; None where there is none."""
    length: Array | None = None
    """Steps of each sequence, int64 [N], for a model with state: inputs are [N, T, …]. None for single samples."""
    initial: Mapping[str, Array] = field(default_factory=dict)
    """State before the first step by input name, where it is not zero."""

    groups: Array | None = None
    """Group of each sample, int64 [N], such as its video; None where samples are independent."""
    raw: Mapping[str, Mapping[int, Array]] = field(default_factory=dict)
    """Some raw samples by input and place, of inputs that a function makes. Not saved with a part of the samples."""
    metadata: Metadata | None = None
    """Names and columns of the samples, for reports on this host; None where they are not known."""
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Texts that the token ids were made of, one a sample, by input; none where the data set gives token ids."""

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in self.inputs.items())
        return f"<Samples {shapes}>"

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def steps(self) -> int | None:
        """Steps of the longest sequence; None for single samples."""
        return None if self.length is None else int(next(iter(self.inputs.values())).shape[1])

    @property
    def inferences(self) -> int:
        """Number of inferences that answer all samples."""
        return len(self) * (self.steps or 1)

    @property
    def digest(self) -> str:
        """SHA-256 over names, dtypes, shapes and values, in order; not over metadata."""
        sha = hashlib.sha256()
        sequences = [] if self.length is None else [("length", self.length), *sorted(self.initial.items())]
        for name, array in [*sorted(self.inputs.items()), ("labels", self.labels), *sequences]:
            sha.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()

    def save(self, folder: Path) -> None:
        """Write `<input>.npy` for every input, `labels.npy`, and what else there is: state, groups, metadata, texts."""
        for name, array in self.inputs.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        np.save(folder / LABELS, self.labels, allow_pickle=False)
        if self.length is not None:
            save_sequences(self.length, self.initial, folder)
        if self.groups is not None:
            (folder / GROUPS).parent.mkdir(exist_ok=True)
            np.save(folder / GROUPS, self.groups, allow_pickle=False)
        if self.texts:
            (folder / TEXTS).write_text(json.dumps({name: list(texts) for name, texts in self.texts.items()}))
        for name, raw in self.raw.items():
            (folder / RAW_FOLDER).mkdir(exist_ok=True)
            for i, array in raw.items():
                np.save(folder / RAW_FOLDER / f"{name}.{i}.npy", array, allow_pickle=False)
        if self.metadata:
            self.metadata.save(folder)

    @classmethod
    def read(cls, folder: Path, mapped: bool = False) -> Samples:
        """Read the samples that `save` wrote to `folder`.

        mapped: inputs stay on disk, and the pages that are used come into memory, which the system may take back.
        """
        paths = sorted(path for path in folder.glob("*.npy") if path.name != LABELS)
        # Copy-on-write: torch takes no arrays that it may not write to.
        mode: Literal["c"] | None = "c" if mapped else None
        arrays = {path.stem: np.asarray(np.load(path, mode, allow_pickle=False)) for path in paths}
        length, initial = read_sequences(folder)
        groups = np.load(folder / GROUPS, allow_pickle=False) if (folder / GROUPS).is_file() else None
        labels = np.load(folder / LABELS, allow_pickle=False)
        metadata = Metadata.read(folder)
        written = json.loads((folder / TEXTS).read_text()) if (folder / TEXTS).exists() else {}
        texts = {name: tuple(each) for name, each in written.items()}
        return cls(arrays, labels, length=length, initial=initial, groups=groups, metadata=metadata, texts=texts)

    def take(self, indices: Sequence[int] | Array) -> Samples:
        """Select the samples at `indices`, in that order."""
        inputs = {name: array[indices] for name, array in self.inputs.items()}
        length = None if self.length is None else self.length[indices]
        metadata = self.metadata.take(indices) if self.metadata else None
        groups = None if self.groups is None else self.groups[indices]
        places = np.arange(len(self))[indices]
        texts = {name: tuple(each[i] for i in places) for name, each in self.texts.items()}
        return Samples(
            inputs,
            self.labels[indices],
            length=length,
            initial=self.initial,
            groups=groups,
            metadata=metadata,
            texts=texts,
        )

    def first_steps(self, count: int) -> Samples:
        """Cut every sequence after its first `count` steps, and labels of steps likewise."""
        assert self.length is not None
        inputs = {name: array[:, :count] for name, array in self.inputs.items()}
        per_step = self.labels.ndim > 1 and self.labels.shape[1] == self.steps
        labels = self.labels[:, :count] if per_step else self.labels
        return replace(self, inputs=inputs, labels=labels, length=np.minimum(self.length, count))


def load_samples(project: Project, role: str, limit: int | None = None, steps: int | None = None) -> Samples:
    """Load the data set that plays `role` in the project, or `limit` samples of it, stratified by class.

    steps: most steps of a sequence, for a model with state; None for all.

    Where labels are no classes, or cannot be told without reading very many samples, they are spread over its order.
    Raises DataError if it is missing, empty, or not what `[inputs]` states; SpecError if its loader cannot be found.
    """
    declared: DataSet | None = getattr(project.data, role)
    if declared is None:
        raise DataError(f"project '{project.name}' states no {role} data", hint=f"add {role} = {{ … }} under [data]")
    where = f"{role} data of '{project.name}'"
    tokenizers = read_tokenizers(project)
    source = open_dataset(declared, project, where, partial=role == "calibration")
    total = len(source)
    if total == 0:
        raise DataError(f"the {where} is empty", hint=f"[data] {role} must name at least one sample")
    groups = sample_groups(source, declared, where)
    chosen, by_class = _chosen(source, limit, project.model.task, declared.labelled, where)
    if project.state:
        (samples, changes), sizes = _collect_sequences(source, chosen, project, declared.labelled, where), None
    else:
        process = processors(project, tokenizers)
        samples, changes, sizes = _collect(source, chosen, project, process, declared.labelled, where)
    for name, tokenizer in tokenizers.items():
        check_ids(samples.inputs[name], tokenizer, f"the {where}: '{name}'")
    samples = samples.first_steps(steps) if steps else samples
    ids = sample_ids(source, declared, chosen)
    columns = _columns(declared, project, source, chosen, samples, where)
    samples = replace(samples, metadata=Metadata(ids, columns.columns, sizes))
    samples = samples if groups is None else replace(samples, groups=groups[list(chosen)])
    labels = samples.labels if len(samples) == total else stated_labels(source)
    missing = without_samples(class_names(project), labels, where) if role == "evaluation" else ()
    left_out = (*getattr(source, "left_out", ()), *columns.remarks, *missing)
    return replace(samples, sampling=Sampling(len(chosen), total, by_class, changes, left_out))


def _columns(
    declared: DataSet, project: Project, source: MapStyle, chosen: Sequence[int], samples: Samples, where: str
) -> StatedColumns:
    """Columns of the chosen samples that the data set is sliced by; none where it states none."""
    if declared.slices is None:
        return StatedColumns({})
    if isinstance(declared.slices, str):
        return StatedColumns(computed_columns(declared.slices, project.root, samples.inputs, samples.labels, where))
    whole = stated_columns(declared, declared.slices, project.root, source, where)
    return replace(whole, columns={name: column[np.asarray(chosen)] for name, column in whole.columns.items()})


def _chosen(source: MapStyle, limit: int | None, task: str, labelled: bool, where: str) -> tuple[Sequence[int], bool]:
    """Select the indices of the samples; true if they are stratified by class."""
    total = len(source)
    if limit is None or limit >= total:
        return range(total), False
    classes = _classes(source, total, where) if labelled and limit >= FEW else None
    if classes is None:
        return spread(total, limit), False
    count = len(np.unique(classes))
    if task == "embedding" and 2 * count > limit:
        return paired(classes, limit), False
    if count > limit:
        return spread(total, limit), False
    return stratified(classes, limit), True


def _classes(source: MapStyle, total: int, where: str) -> Array | None:
    """Read every sample's label, int [N]; None if labels are no classes or the set is too large to read."""
    labels = stated_labels(source)
    if labels is None and total <= READ_THROUGH:
        try:
            labels = np.asarray([label for _, (_, label) in read_items(source, range(total), where)])
        except ValueError:  # of different shapes
            return None
    return labels if labels is not None and labels.ndim == 1 and labels.dtype.kind in "iu" else None


def _collect(
    source: MapStyle,
    chosen: Sequence[int],
    project: Project,
    process: Mapping[str, Processor],
    labelled: bool,
    where: str,
) -> tuple[Samples, tuple[str, ...], Array | None]:
    """Read the chosen samples; then the changes to pictures among them, counted, and their pixels, float64 [N].

    The last is None where samples are not one picture each.
    """
    pictures = []
    inputs = project.inputs
    raw: dict[str, dict[int, Array]] = {name: {} for name, spec in inputs.items() if spec.preprocess_function}
    # Arrays of the whole set where a sample's size is known: a list beside them would be the set once more.
    whole = {
        name: np.empty((len(chosen), *spec.raw_shape), spec.raw_dtype)
        for name, spec in inputs.items()
        if not free_lengths.free_axes(spec)
    }
    columns: dict[str, list[Array]] = {name: [] for name in inputs if name not in whole}
    texts: dict[str, list[str]] = {name: [] for name, spec in inputs.items() if spec.tokenizer}
    lengths: dict[str, list[int]] = {}
    labels: list[Any] = []
    for i, (values, label) in read_items(source, chosen, where, labelled):
        here = f"the {where}: sample {i}"
        stated = values if isinstance(values, Mapping) else {next(iter(inputs)): values}
        made = {name: process[name](value, f"{here}: '{name}'") for name, value in stated.items() if name in inputs}
        named = named_inputs({**stated, **made}, inputs, here)
        for name, spec in inputs.items():
            array = checked(np.asarray(named[name]), spec, f"{here}: '{name}'")
            if name in whole:
                whole[name][len(labels)] = array
            else:
                columns[name].append(array)
        for name in raw.keys() & stated.keys() if len(labels) < AMONG else ():
            raw[name][len(labels)] = np.asarray(stated[name])
        for name in texts.keys() & stated.keys():
            texts[name] += [text for text in (as_text(stated[name]),) if text is not None]
        row = {name: column[-1] for name, column in columns.items()}
        for name, length in free_lengths.sample_lengths(row, inputs, here).items():
            lengths.setdefault(name + LENGTHS, []).append(length)
        pictures += [value for value in stated.values() if isinstance(value, Picture)]
        labels.append(label)
    padded = {name: free_lengths.stacked(column, inputs[name].pad) for name, column in columns.items()}
    stacked = {name: whole[name] if name in whole else padded[name] for name in inputs}
    stacked |= {name: np.array(column, np.int64) for name, column in lengths.items()}
    collected = _collect_labels(labels, project, where) if labelled else unlabelled(len(labels))
    small = {name: smallest(each, RAW) for name, each in raw.items()}
    pixels = [picture.pixels.shape[0] * picture.pixels.shape[1] for picture in pictures]
    sizes = np.array(pixels, np.float64) if len(pixels) == len(labels) else None
    known = {name: tuple(each) for name, each in texts.items() if labels and len(each) == len(labels)}
    return Samples(stacked, collected, raw=small, texts=known), tally(pictures), sizes


def _collect_sequences(
    source: MapStyle, chosen: Sequence[int], project: Project, labelled: bool, where: str
) -> tuple[Samples, tuple[str, ...]]:
    """Read the chosen samples of a model with state, arrays [T, …] padded to the longest, and its initial state."""
    rows = []
    for i, (values, label) in read_items(source, chosen, where, labelled):
        here = f"the {where}: sample {i}"
        named = {name: np.asarray(value) for name, value in named_inputs(values, project.inputs, here).items()}
        for name, spec in project.inputs.items():
            checked(named[name], spec, f"{here}: '{name}'", timed=True)
        rows.append((here, named, label))
    inputs, length = gather([(here, named) for here, named, _ in rows])
    check_caches(length, project.state, f"the {where}")
    collect = lambda labels: _collect_labels(labels, project, where)  # noqa: E731
    labels = unlabelled(len(rows)) if not labelled else sequence_labels(rows, length, collect)
    return Samples(inputs, labels, length=length, initial=initial_state(project)), ()


def _collect_labels(labels: Sequence[Any], project: Project, where: str) -> Array:
    """Labels of all samples in one array [N, …]. Raises DataError where they are not of the project's task."""
    try:
        return task_of(project).collect(labels, len(class_names(project)))
    except DataError as error:
        raise DataError(f"the {where}: {error}", hint=error.hint) from error
