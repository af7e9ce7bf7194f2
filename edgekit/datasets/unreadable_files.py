"""Files of a data set that cannot be read: left out, others read in their place, and told by name and reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from edgekit.datasets import MapStyle, stated_labels
from edgekit.datasets.items import read_items
from edgekit.errors import DataError, EmptyClass, PictureError, RecordingError
from edgekit.ir.measurement import Array

SHOWN = 5
"""Reasons that a sentence has, and files that it names of each."""
NAMED = re.compile(r"((?:row \d+ of )?'[^']*') (.*)", re.DOTALL)
"""Error of one file: its name, and what is wrong with it."""

PLURALS = {"holds": "hold", "has": "have", "is": "are"}
"""Verbs that a reason begins with, of several files."""


class ReadableItems:
    """Chosen items of a data set, less those whose file cannot be read. Iterate once; `kept` and `lost` tell then.

    In place of a file that cannot be read comes the next item that was not chosen, of the same class if there is one;
    where none is left, the samples are one fewer. Other faults of a data set end it: DataError.
    """

    def __init__(self, source: MapStyle, chosen: Sequence[int], where: str, labelled: bool = True) -> None:
        self.source, self.chosen, self.where, self.labelled = source, chosen, where, labelled
        self.kept: list[int] = []
        """Places in the data set of the items that were read, in their order."""
        self.lost: dict[int, DataError] = {}
        """Errors of the files that could not be read, by place."""

    def __iter__(self) -> Iterator[tuple[int, tuple[Any, Any]]]:
        spare = _Spare(self.source, self.chosen)
        for i in self.chosen:
            place: int | None = i
            while place is not None:
                try:
                    item = next(iter(read_items(self.source, [place], self.where, self.labelled)))
                except (PictureError, RecordingError) as error:
                    self.lost[place] = error
                    place = spare.take(place)
                    continue
                self.kept.append(place)
                yield item
                break

    def check(self, classes: Sequence[str]) -> None:
        """Raise EmptyClass if no file of a class could be read, the error of the first if none at all could.

        To be called where files were lost.
        """
        first = next(iter(self.lost.values()))
        if not self.kept:
            raise type(first)(
                f"the {self.where}: none of {_count(self.lost)} can be read: {_named(self.lost)}", hint=first.hint
            )
        labels = _class_labels(self.source)
        for label in [] if labels is None else np.unique(labels[sorted(self.lost)]).tolist():
            of_class = {i: error for i, error in self.lost.items() if labels is not None and labels[i] == label}
            if labels is not None and len(of_class) == (labels == label).sum():
                name = classes[label] if 0 <= label < len(classes) else str(label)
                raise EmptyClass(
                    f"the {self.where}: of class '{name}' none of {_count(of_class)} can be read: {_named(of_class)}",
                    hint=next(iter(of_class.values())).hint,
                )

    @property
    def sentences(self) -> tuple[str, ...]:
        """Sentence on the files that were left out, with names and reasons; none if all were read."""
        if not self.lost:
            return ()
        were = "was" if len(self.lost) == 1 else "were"
        return (f"{_count(self.lost)} of the {self.where} cannot be read and {were} left out: {_named(self.lost)}.",)


class _Spare:
    """Items that were not chosen, to read in place of others."""

    def __init__(self, source: MapStyle, chosen: Sequence[int]) -> None:
        self.source, self.chosen = source, chosen
        self.free: Array | None = None

    def take(self, place: int) -> int | None:
        """The next item after `place` that is free, from the beginning again at the end; None if there is none.

        One of the same class comes first, where the set lists its labels.
        """
        if self.free is None:
            self.free = np.ones(len(self.source), bool)
            self.free[np.asarray(self.chosen, np.int64)] = False
        labels = _class_labels(self.source)
        alike = self.free if labels is None else self.free & (labels == labels[place])
        ahead = np.flatnonzero(np.roll(alike if alike.any() else self.free, -place))
        if not len(ahead):
            return None
        spare = int(ahead[0] + place) % len(self.free)
        self.free[spare] = False
        return spare


def _class_labels(source: MapStyle) -> Array | None:
    labels = stated_labels(source)
    return labels if labels is not None and labels.ndim == 1 and labels.dtype.kind in "iu" else None


def _count(lost: Mapping[int, DataError]) -> str:
    return "1 file" if len(lost) == 1 else f"{len(lost):,} files"


def _named(lost: Mapping[int, DataError]) -> str:
    """Names by reason, in the order of the set: `'a/1.jpg', 'a/2.jpg' cannot be read as a picture: it is empty`."""
    names: dict[str, list[str]] = {}
    for i in sorted(lost):
        parts = NAMED.fullmatch(str(lost[i]))
        name, reason = parts.groups() if parts else (str(lost[i]), "")
        names.setdefault(reason, []).append(name)
    shown = [f"{_some(each)} {_of(len(each), reason)}".rstrip() for reason, each in list(names.items())[:SHOWN]]
    return "; ".join([*shown, *(["and others"] if len(names) > SHOWN else [])])


def _of(count: int, reason: str) -> str:
    """The reason as it is said of `count` files: `holds no sound`, `hold no sound`."""
    verb, space, rest = reason.partition(" ")
    return reason if count == 1 else f"{PLURALS.get(verb, verb)}{space}{rest}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")
