"""Reading of a project's data sets (`[data]`) as `Samples`, checked against its `[inputs]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgekit.datasets import MapStyle, free_lengths, open_dataset, sample_groups, stated_labels
from edgekit.datasets.classes import class_names, without_samples
from edgekit.datasets.items import checked, named_inputs, read_items
from edgekit.datasets.metadata import Metadata, sample_ids
from edgekit.datasets.metadata_columns import StatedColumns, computed_columns, stated_columns
from edgekit.datasets.pictures import Picture, tally
from edgekit.datasets.processors import Processor, as_text, processors, smallest
from edgekit.datasets.tokenizer import check_ids, read_tokenizers
from edgekit.datasets.unreadable_files import ReadableItems
from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.sample_arrays import RAW_FOLDER, Samples, Sampling
from edgekit.sequences import check_caches, gather, initial_state, sequence_labels
from edgekit.specs.project import LENGTHS, DataSet, Project
from edgekit.stratification import FEW, paired, spread, stratified
from edgekit.tasks.label_arrays import unlabelled
from edgekit.tasks.registry import task_of

__all__ = ["RAW_FOLDER", "READ_THROUGH", "Samples", "Sampling", "load_samples"]

READ_THROUGH = 20_000
"""Largest set that is read once for its labels alone, if it lists none: a minute at most."""
RAW = 2
"""Raw samples that are kept beside the samples made of them, for the self-test of devices."""
AMONG = 4
"""First samples of a set, of which the smallest raw ones are kept."""


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
    unreadable: tuple[str, ...] = ()
    if project.state:
        (samples, changes), sizes = _collect_sequences(source, chosen, project, declared.labelled, where), None
    else:
        process = processors(project, tokenizers)
        items = ReadableItems(source, chosen, where, declared.labelled)
        samples, changes, sizes = _collect(items, project, process)
        # Those that cannot be read are none that a larger sample could have.
        chosen, unreadable, total = items.kept, items.sentences, total - len(items.lost)
    for name, tokenizer in tokenizers.items():
        check_ids(samples.inputs[name], tokenizer, f"the {where}: '{name}'")
    samples = samples.first_steps(steps) if steps else samples
    ids = sample_ids(source, declared, chosen)
    columns = _columns(declared, project, source, chosen, samples, where)
    samples = replace(samples, metadata=Metadata(ids, columns.columns, sizes))
    samples = samples if groups is None else replace(samples, groups=groups[list(chosen)])
    labels = samples.labels if len(samples) == total else stated_labels(source)
    missing = without_samples(class_names(project), labels, where) if role == "evaluation" else ()
    left_out = (*getattr(source, "left_out", ()), *unreadable, *columns.remarks, *missing)
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
    items: ReadableItems, project: Project, process: Mapping[str, Processor]
) -> tuple[Samples, tuple[str, ...], Array | None]:
    """Read the items as samples; then the changes to pictures among them, counted, and their pixels, float64 [N].

    The last is None where samples are not one picture each.
    """
    changes: list[frozenset[str]] = []
    pixels: list[int] = []
    inputs, where = project.inputs, items.where
    raw: dict[str, dict[int, Array]] = {name: {} for name, spec in inputs.items() if spec.preprocess_function}
    # Arrays of the whole set where a sample's size is known: a list beside them would be the set once more.
    whole = {
        name: np.empty((len(items.chosen), *spec.raw_shape), spec.raw_dtype)
        for name, spec in inputs.items()
        if not free_lengths.free_axes(spec)
    }
    columns: dict[str, list[Array]] = {name: [] for name in inputs if name not in whole}
    texts: dict[str, list[str]] = {name: [] for name, spec in inputs.items() if spec.tokenizer}
    lengths: dict[str, list[int]] = {}
    labels: list[Any] = []
    for i, (values, label) in items:
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
        for picture in (value for value in stated.values() if isinstance(value, Picture)):
            changes.append(picture.changes)
            pixels.append(picture.pixels.shape[0] * picture.pixels.shape[1])
        labels.append(label)
    if items.lost:
        items.check(class_names(project))
    padded = {name: free_lengths.stacked(column, inputs[name].pad) for name, column in columns.items()}
    stacked = {name: whole[name][: len(labels)] if name in whole else padded[name] for name in inputs}
    stacked |= {name: np.array(column, np.int64) for name, column in lengths.items()}
    collected = _collect_labels(labels, project, where) if items.labelled else unlabelled(len(labels))
    small = {name: smallest(each, RAW) for name, each in raw.items()}
    sizes = np.array(pixels, np.float64) if len(pixels) == len(labels) else None
    known = {name: tuple(each) for name, each in texts.items() if labels and len(each) == len(labels)}
    return Samples(stacked, collected, raw=small, texts=known), tally(changes), sizes


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
