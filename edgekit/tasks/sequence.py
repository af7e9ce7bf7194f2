"""Sequences: what speech, handwriting and text networks write. Takes the first output, and decodes it greedily."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Whole
from edgekit.tasks.label_arrays import check_range
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.task import Answers, Outputs, TaskSpec, joined
from edgekit.tasks.token_sequences import (
    TOKENS,
    Places,
    ctc_best_path,
    edit_distance,
    padded_tokens,
    places_of,
    rows_of,
    tokens_of,
)

TEXT = "give token numbers as labels, or [task] vocabulary with every character of the texts"
WORD_START = "▁"
"""Mark of SentencePiece at the beginning of a word."""
SHOWN = 16
"""Tokens that a text without vocabulary shows."""


class SequenceTask(TaskSpec):
    """Task `sequence`: first output scores [N, T, tokens], or tokens int [N, T]; labels are tokens int, or texts."""

    also: ClassVar[tuple[str, ...]] = ("cer", "exact")
    metric_name: Literal["cer", "wer", "exact"] = Field(default="cer", alias="metric")
    """`cer`: edits of tokens over tokens of the labels, the character error rate where tokens are characters; `wer`:
    the same of words, which needs `vocabulary`; `exact`: share of sequences without an edit."""
    decoder: Literal["ctc", "argmax"] = "ctc"
    """`ctc` merges repeats and leaves out blanks; `argmax` takes the best token at every place."""
    blank: Whole = 0
    """Token that CTC leaves out; -1 for the last one."""
    end: Whole | None = None
    """Token that ends a sequence, and is no part of it."""
    channels: Literal["first", "last"] = "last"
    """Place of the tokens among the axes: [N, tokens, T], or [N, T, tokens]."""
    vocabulary: tuple[str, ...] = ()
    """Text of each token, in their order; a string stands for its characters."""

    @field_validator("vocabulary", mode="before")
    @classmethod
    def _characters(cls, value: object) -> object:
        return tuple(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _words_have_texts(self) -> SequenceTask:
        if self.metric_name == "wer" and not self.vocabulary:
            raise ValueError("'wer' needs the texts of the tokens: vocabulary = '…'")
        return self

    @property
    def metric(self) -> Metric:
        return Metric(self.metric_name, higher_is_better=self.metric_name == "exact")

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Stack tokens of lists or texts, int64 [N, longest], filled with -1. Raises DataError."""
        lists = [self._encoded(label, i) if isinstance(label, str) else label for i, label in enumerate(labels)]
        array = padded_tokens(lists)
        count = len(self.vocabulary) or classes
        if count:
            check_range(array, count, TOKENS, pads=True)
        return array

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the first output holds no tokens, or labels have tokens that it does not know."""
        places = self._places(outputs)
        name, tokens = places.name, places.symbols
        if labels is not None and (labels.ndim != 2 or labels.dtype.kind not in "iu"):
            raise DataError(f"labels are {labels.dtype} {list(labels.shape)}, no lists of tokens", hint=TOKENS)
        if tokens is None:
            return
        if self.vocabulary and tokens != len(self.vocabulary):
            raise DataError(
                f"output '{name}' scores {tokens} tokens, the vocabulary has {len(self.vocabulary)}",
                hint="[task] vocabulary has one text a token, the blank among them",
            )
        if labels is not None:
            check_range(labels, tokens, f"output '{name}' scores {tokens} tokens", pads=True)

    def answers(self, outputs: Outputs) -> Array:
        """Tokens int64 [N, longest], filled with -1."""
        places = self._places(outputs)
        if places.symbols is None:
            rows = [row[row >= 0] for row in places.best]
        elif self.decoder == "ctc":
            rows = [ctc_best_path(row, self.blank % places.symbols) for row in places.best]
        else:
            rows = list(places.best)
        return rows_of([self._until_end(row) for row in rows])

    def score(self, answers: Answers, labels: Array) -> Scores:
        """1 less the edits of each sample over its length; 1 or 0 for `exact`."""
        pairs = [(self._units(ours), self._units(theirs)) for ours, theirs in zip(answers, labels, strict=True)]
        edits = np.array([edit_distance(*pair) for pair in pairs])
        if self.metric_name == "exact":
            return Scores((edits == 0).astype(np.float64))
        lengths = np.array([len(theirs) for _, theirs in pairs])
        each = 1 - edits / np.maximum(lengths, 1)
        return Scores(each, lambda indices: float(edits[indices].sum() / max(int(lengths[indices].sum()), 1)))

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """1 less the edits between both answers over the length of the longer one."""
        pairs = [(tokens_of(one), tokens_of(other)) for one, other in zip(reference, candidate, strict=True)]
        return np.array([1 - edit_distance(*pair) / max(1, *map(len, pair)) for pair in pairs])

    def chance(self, labels: Array) -> float | None:
        """Metric of the empty answer; of the most frequent sequence for `exact`."""
        if self.metric_name != "exact":
            return 1.0
        return float(np.unique(labels, axis=0, return_counts=True)[1].max() / len(labels))

    def distinct(self, answers: Answers) -> int:
        return len(np.unique(answers, axis=0))

    def show(self, answers: Answers, i: int, classes: Sequence[str] = ()) -> str:
        return self._text(answers[i], classes)

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        return self._text(labels[i], classes)

    def _places(self, outputs: Outputs) -> Places:
        return places_of(outputs, self.channels, "a sequence", "tokens")

    def _encoded(self, text: str, i: int) -> list[int]:
        numbers = {token: number for number, token in reversed(list(enumerate(self.vocabulary)))}
        unknown = next((one for one in text if one not in numbers), None)
        if unknown is not None:
            raise DataError(f"the label of sample {i} has '{unknown}', which is no token of one character", hint=TEXT)
        return [numbers[one] for one in text]

    def _until_end(self, tokens: Array) -> Array:
        ends = [] if self.end is None else np.flatnonzero(tokens == self.end).tolist()
        return tokens[: ends[0]] if ends else tokens

    def _units(self, row: Array) -> Sequence[Any] | Array:
        """Tokens or words of one row, which edits are counted in. A label's end token is none."""
        tokens = self._until_end(tokens_of(row))
        return self._joined(tokens).split() if self.metric_name == "wer" else tokens

    def _joined(self, tokens: Array) -> str:
        texts = (self.vocabulary[one] if one < len(self.vocabulary) else "\N{REPLACEMENT CHARACTER}" for one in tokens)
        return "".join(texts).replace(WORD_START, " ")

    def _text(self, row: Array, classes: Sequence[str]) -> str:
        tokens = self._until_end(tokens_of(row))
        if self.vocabulary:
            return f"'{self._joined(tokens).strip()}'"
        names = [classes[one] if one < len(classes) else str(one) for one in tokens]
        return joined(names, SHOWN, " ") or "nothing"
