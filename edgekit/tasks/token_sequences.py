"""Sequences of tokens in padded arrays: edit distance, greedy CTC decoding, spans of BIO tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.tasks.label_arrays import PAD, padded
from edgekit.tasks.task import Outputs, first_output

IGNORED = -100
"""Value that torch's losses ignore, which labels may have in place of PAD."""
TOKENS = "a sample is labelled with a list of token numbers; -1 where a position does not count"


def padded_tokens(labels: Sequence[Any]) -> Array:
    """Stack lists of tokens, int64 [N, longest], filled with PAD. Raises DataError."""
    array = padded(labels, None, TOKENS)
    if array.dtype.kind != "i":
        raise DataError(f"labels are {array.dtype}, tokens are whole numbers", hint=TOKENS)
    return np.where(array == IGNORED, PAD, array)


@dataclass(frozen=True)
class Places:
    """Places of an output's sequences, each with the symbol that the network gives it, or with scores of symbols."""

    name: str
    """Name of the output."""
    values: Array
    """Symbols int [N, T], or scores [N, T, symbols]."""

    @property
    def symbols(self) -> int | None:
        """Number of symbols that are scored; None where the output holds symbols."""
        return self.values.shape[2] if self.values.ndim == 3 else None

    @property
    def best(self) -> Array:
        """Symbols int64 [N, T]: those of the largest scores, of equals the first."""
        values = self.values if self.symbols is None else np.argmax(self.values, axis=2)
        return np.asarray(values, np.int64)


def places_of(outputs: Outputs, channels: Literal["first", "last"], task: str, symbols: str) -> Places:
    """Places of the first output: scores [N, T, symbols], [N, symbols, T] if `channels` are first, or symbols [N, T].

    task, symbols: words for messages. Raises DataError if it is none of these.
    """
    name, values = first_output(outputs)
    whole = values.dtype.kind in "iu"
    if values.ndim != (2 if whole else 3):
        raise DataError(
            f"output '{name}' is {values.dtype} {list(values.shape)}, {task} needs scores [samples, places, "
            f"{symbols}] or {symbols} int [samples, places]",
            hint="the scores must be the model's first output; their order: [task] channels",
        )
    return Places(name, values if whole or channels == "last" else values.swapaxes(1, 2))


def check_places(labels: Array, name: str, places: int, hint: str) -> None:
    """Raise DataError unless labels are int [N, T] with no more places than the output `name` has."""
    if labels.ndim != 2 or labels.dtype.kind not in "iu" or labels.shape[1] > places:
        raise DataError(
            f"labels are {labels.dtype} {list(labels.shape)}, output '{name}' has {places} places", hint=hint
        )


def rows_of(sequences: Sequence[Array]) -> Array:
    """Put sequences of tokens into one array int64 [N, longest], filled with PAD; it has one column at least."""
    array = np.full((len(sequences), max([1, *map(len, sequences)])), PAD, np.int64)
    for row, sequence in zip(array, sequences, strict=True):
        row[: len(sequence)] = sequence
    return array


def tokens_of(row: Array) -> Array:
    """Tokens of one row, without PAD."""
    return np.asarray(row[row != PAD])


def edit_distance(first: Sequence[Any] | Array, second: Sequence[Any] | Array) -> int:
    """Least number of insertions, deletions and substitutions that turn one sequence into the other (Levenshtein)."""
    if len(first) == 0 or len(second) == 0:
        return max(len(first), len(second))
    symbols = np.unique([*first, *second], return_inverse=True)[1]
    ours, theirs = symbols[: len(first)], symbols[len(first) :]
    places = np.arange(len(theirs) + 1)
    row = places
    for i, symbol in enumerate(ours, start=1):
        best = np.append(i, np.minimum(row[1:] + 1, row[:-1] + (theirs != symbol)))
        row = np.minimum.accumulate(best - places) + places
    return int(row[-1])


def ctc_best_path(tokens: Array, blank: int) -> Array:
    """Tokens of the best path, int [T], with repeats merged and blanks left out (Graves et al. 2006)."""
    changed = np.append(True, tokens[1:] != tokens[:-1])
    return np.asarray(tokens[changed & (tokens != blank)])


def bio_spans(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """Spans of BIO tags: type, first place, and the place behind the last.

    As in conlleval, `I-X` behind anything but `B-X` and `I-X` begins a span.
    """
    spans, start, kind = set(), 0, ""
    for i, tag in enumerate([*tags, "O"]):
        prefix, _, name = tag.partition("-")
        if kind and (prefix != "I" or name != kind):
            spans.add((kind, start, i))
            kind = ""
        if prefix in ("B", "I") and not kind:
            start, kind = i, name
    return spans
