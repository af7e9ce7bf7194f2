"""Language models: a distribution over the next token at every place, or at one.

Takes the first output, logits [N, T, V]; or [N, V] of a model that takes a token a step, as one with a cache does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.tasks.label_arrays import PAD, check_range
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.task import Answers, Outputs, TaskSpec, class_text, first_output, short
from edgekit.tasks.token_pairs import TokenPairs, log_probabilities
from edgekit.tasks.token_sequences import check_places, padded_tokens

NEXT = (
    "a sample is labelled with the token that follows each place, int [T], a step of a model with state with the one "
    "that follows it; -1 where a place does not count"
)
SHOWN = 8
"""Tokens that a text shows."""


class LanguageModel(TaskSpec):
    """Task `language-model`: first output logits [N, T, V]; labels are the next tokens int [T], or of the first places.

    Logits [N, V] are of one place, and a label is one token.
    Labels of -1 or -100 do not count in the metric. Answers are the logits as they are: nothing copies them whole.
    """

    flip_margin: ClassVar[float] = 0.05
    also: ClassVar[tuple[str, ...]] = ("perplexity", "accuracy")
    metric_name: Literal["perplexity", "accuracy"] = Field(default="perplexity", alias="metric")
    """Exponential of the mean negative log-likelihood of all tokens; or the share of places where the next token has
    the largest logit."""

    @property
    def metric(self) -> Metric:
        return Metric("perplexity", "", higher_is_better=False) if self._of_likelihood else Metric("accuracy")

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Stack next tokens, int64 [N, longest] filled with -1, or [N] of single tokens. Raises DataError."""
        single = all(np.ndim(label) == 0 for label in labels)
        array = padded_tokens([np.atleast_1d(label) for label in labels] if single else labels)
        array = array[:, 0] if single else array
        if not (array != PAD).any():
            raise DataError("no place of any sample has a next token", hint=NEXT)
        if classes:
            check_range(array, classes, NEXT, pads=True)
        return array

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the first output is no logits, or labels have more places or tokens than it."""
        name, logits = first_output(outputs)
        if logits.ndim not in (2, 3) or logits.dtype.kind != "f":
            raise DataError(
                f"output '{name}' is {logits.dtype} {list(logits.shape)}, a language model gives logits [samples, "
                "places, vocabulary], or [samples, vocabulary] for one place",
                hint="the logits must be the model's first output, float",
            )
        if labels is None:
            return
        places = logits.shape[1] if logits.ndim == 3 else 1
        check_places(_rows(labels) if places == 1 else labels, name, places, NEXT)
        check_range(labels, logits.shape[-1], f"output '{name}' scores {logits.shape[-1]} tokens", pads=True)

    def answers(self, outputs: Outputs) -> Array:
        """Logits [N, T, V], not copied."""
        logits = first_output(outputs)[1]
        return logits[:, None] if logits.ndim == 2 else logits

    def score(self, answers: Answers, labels: Array) -> Scores:
        """Minus the mean negative log-likelihood of each sample, in nats; or its share of right places."""
        figures = [self._sample(*pair) for pair in zip(answers, _rows(labels), strict=True)]
        sums, counts = np.array(figures).T
        each = sums / np.maximum(counts, 1)

        def pooled(indices: Array) -> float:
            mean = float(sums[indices].sum() / max(counts[indices].sum(), 1))
            return float(np.exp(-mean)) if self._of_likelihood else mean

        return Scores(each, pooled)

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """Share of the places of each sample, padding among them, where the same token has the largest logit."""
        pairs = zip(reference, candidate, strict=True)
        return np.array([(one.argmax(axis=1) == other.argmax(axis=1)).mean() for one, other in pairs])

    def token_pairs(self, reference: Answers, candidate: Answers, labels: Array | None, text: Array) -> TokenPairs:
        """Both endpoints' distributions at every place that counts. text: int64 [N], the text that each row is of."""
        return TokenPairs.of(reference, candidate, None if labels is None else _rows(labels), text)

    def distinct(self, answers: Answers) -> int:
        """Count different sequences of best tokens."""
        return len({logits.argmax(axis=1).tobytes() for logits in answers})

    def chance(self, labels: Array) -> float | None:
        """Metric of the same distribution at every place, that of the labels."""
        shares = np.unique(labels[labels != PAD], return_counts=True)[1] / (labels != PAD).sum()
        return float(np.exp(-(shares * np.log(shares)).sum())) if self._of_likelihood else float(shares.max())

    def show(self, answers: Answers, i: int, classes: Sequence[str] = ()) -> str:
        return _tokens(answers[i].argmax(axis=1), classes)

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        row = _rows(labels)[i]
        return _tokens(row[row != PAD], classes)

    @property
    def _of_likelihood(self) -> bool:
        return self.metric_name == "perplexity"

    def _sample(self, logits: Array, label: Array) -> tuple[float, int]:
        """Sum over the places of one sample that count, and their number."""
        places = np.flatnonzero(label != PAD)
        if not self._of_likelihood:
            return float((logits[places].argmax(axis=1) == label[places]).sum()), len(places)
        return float(log_probabilities(logits[places])[np.arange(len(places)), label[places]].sum()), len(places)


def _rows(labels: Array) -> Array:
    """Labels [N, T], also of those [N] that are one token a sample."""
    return labels.reshape(len(labels), -1)


def _tokens(row: Array, classes: Sequence[str]) -> str:
    if not classes:
        return short(row)
    return " ".join([*(class_text(int(one), classes) for one in row[:SHOWN]), *(["…"] if len(row) > SHOWN else [])])
