"""Slices of a set of samples, by the values of a column, by the tails of a measured property, or by the class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.ir.plural import counted
from edgekit.parity.gate_texts import decimal, percent
from edgekit.tasks.task import class_text

MOST_VALUES = 50
"""Values of a column that become slices: the most frequent ones."""
AS_VALUES = 12
"""Different numbers of a column up to which each is a slice; more are cut into quarters."""
TAILS = (0.05, 0.1, 0.2)
"""Shares of the samples with the least, and the greatest, of a measured property."""


@dataclass(frozen=True)
class Slice:
    """Samples that have something in common."""

    name: str
    words: str
    by: str
    origin: Literal["stated", "automatic", "class"]
    members: Array
    """bool [N]"""


@dataclass(frozen=True)
class Property:
    """Number that was measured of each sample, such as the brightness of a picture."""

    name: str
    values: Array
    """float64 [N]"""
    low: str
    """Words for samples with little of it: `dark pictures`."""
    high: str
    show: Callable[[float], str]
    """The value with its unit."""


def by_value(name: str, column: Array) -> tuple[list[Slice], list[str]]:
    """Slices by a column of metadata, numbers or texts [N], and sentences on samples that are in none."""
    count = len(column)
    present = np.isfinite(column) if column.dtype.kind == "f" else column != ""
    known = int(present.sum())
    if not known:
        return [], [f"'{name}' has no value in any of the {counted(count, 'sample')}: no slice is made of it."]
    remarks = []
    if known < count:
        have, are = ("has", "is") if count - known == 1 else ("have", "are")
        lacking = f"{count - known:,} of {counted(count, 'sample')} {have} no '{name}' (empty or NaN)"
        remarks.append(f"{lacking}, and {are} in no slice of it.")
    values, sizes = np.unique(column[present], return_counts=True)
    if len(values) == 1:
        one = _value(values[0])
        return [], [
            *remarks,
            f"'{name}' is {one} wherever it has a value ({counted(known, 'sample')}): nothing to compare.",
        ]
    if column.dtype.kind == "f" and len(values) > AS_VALUES:
        return _quarters(name, column, present), remarks
    kept = np.argsort(-sizes, kind="stable")[:MOST_VALUES]
    if len(values) > MOST_VALUES:
        inside = int(sizes[kept].sum())
        remarks.append(
            f"'{name}' has {len(values):,} values: the {MOST_VALUES} most frequent are slices, of "
            f"{counted(inside, 'sample')}."
        )
    texts = _texts(values)
    names = [(f"{name} = {texts[i]}", column == values[i]) for i in sorted(kept)]
    return [Slice(text, text, name, "stated", members) for text, members in names], remarks


def by_tails(measured: Property) -> Iterator[Slice]:
    """Slices of the samples with the least and the greatest of a property, from the smallest slice on."""
    values, seen = measured.values, set()
    for share in TAILS:
        for low in (True, False):
            edge = _edge(values, share, low)
            members = values <= edge if low else values >= edge
            size = int(members.sum())
            # Values that many samples share make a tail of half of them, or the same tail again.
            if not 0 < size <= len(values) / 2 or (low, size) in seen:
                continue
            seen.add((low, size))
            shown = measured.show(edge)
            # Edges that are written alike, such as 1.58 % and 1.62 %, are told apart by their tails.
            others = {_edge(values, each, low) for each in TAILS} - {edge}
            if shown in map(measured.show, others):
                shown += f" ({percent(share)} of the samples)"
            name = f"{measured.name} {'at most' if low else 'at least'} {shown}"
            words = f"{measured.low if low else measured.high}, {name}"
            yield Slice(name, words, measured.name, "automatic", members)


def _edge(values: Array, share: float, low: bool) -> float:
    return float(np.quantile(values, share if low else 1 - share))


def by_class(labels: Array, classes: Sequence[str]) -> Iterator[Slice]:
    """Slices by the label, int [N]."""
    for label in np.unique(labels).tolist():
        name = class_text(label, classes)
        yield Slice(name, f"class '{name}'", "class", "class", labels == label)


def by_column(columns: Iterable[tuple[str, Array]]) -> tuple[list[Slice], list[str]]:
    """Slices by each of some columns, and the sentences on them."""
    slices, remarks = [], []
    for name, column in columns:
        of_column, said_of_it = by_value(name, column)
        slices += of_column
        remarks += said_of_it
    return slices, remarks


def _quarters(name: str, column: Array, present: Array) -> list[Slice]:
    """Four slices of equal size, as far as equal numbers let them be."""
    edges = np.quantile(column[present], (0.25, 0.5, 0.75))
    places = np.searchsorted(edges, column, side="left")
    written = _texts(edges)
    texts = [f"at most {written[0]}", *(f"above {edge}" for edge in written)]
    slices = []
    for quarter, text in enumerate(texts):
        members = present & (places == quarter)
        upper = f" and at most {written[quarter]}" if 0 < quarter < 3 else ""
        if members.any():
            slices.append(Slice(f"{name} {text}{upper}", f"{name} {text}{upper}", name, "stated", members))
    return slices


def _texts(values: Array) -> list[str]:
    """Values in words, numbers to four decimals, or with all their digits where different ones would read alike."""
    texts = [_value(value) for value in values]
    alike = len(set(texts)) < len(np.unique(values))
    return [repr(float(value)) for value in values] if alike else texts


def _value(value: float | str) -> str:
    return f"{decimal(float(value), 4)}" if isinstance(value, float) else str(value)
