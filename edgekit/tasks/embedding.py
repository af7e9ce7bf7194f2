"""Embeddings: vectors that are near for samples of one identity. Takes the first output, [N, D]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.spec import Real, Whole
from edgekit.tasks.cosine import cosine_blocks, normalized
from edgekit.tasks.label_arrays import check_integers, check_range, stacked
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.roc import RocCurve, drawn_counts
from edgekit.tasks.task import Answers, Outputs, TaskSpec, class_text, first_output

IDENTITIES = "a sample is labelled with its identity, one whole number: samples of the same number belong together"
PAIRS = 20_000
"""Largest number of pairs of one identity, and of two, that verification is measured on."""
GALLERY = 4096
"""Largest number of samples that an embedding is told apart from, for agreement."""
TIE = 1e-6
"""Difference of cosines that float32 does not tell apart."""


class Embedding(TaskSpec):
    """Task `embedding`: first output [N, D]; labels are identities int [N]. Embeddings are compared by their cosine."""

    also: ClassVar[tuple[str, ...]] = ("recall", "map", "eer")
    metric_name: Literal["recall", "map", "eer"] = Field(default="recall", alias="metric")
    """`recall`: share of samples that have one of their identity among the `k` nearest others; `map`: mean average
    precision of all others ranked; `eer`: equal error rate of pairs."""
    k: Whole = Field(default=1, ge=1)
    """Number of nearest samples of `recall`."""
    cosine: Real = Field(default=0.95, gt=0, le=1)
    """Least cosine of two embeddings of one sample that agree."""

    @property
    def metric(self) -> Metric:
        name = f"recall@{self.k}" if self.metric_name == "recall" else self.metric_name
        return Metric(name, higher_is_better=self.metric_name != "eer")

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Stack identities, int64 [N]. Raises DataError."""
        array = stacked(labels, IDENTITIES)
        check_integers(array, len(array), "one identity a sample is needed", IDENTITIES)
        if classes:
            check_range(array, classes, IDENTITIES)
        return array

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the first output is no vector a sample, or no two samples have one identity."""
        name, vectors = first_output(outputs)
        if vectors.ndim != 2 or vectors.dtype.kind != "f" or vectors.shape[1] < 2:
            raise DataError(
                f"output '{name}' is {vectors.dtype} {list(vectors.shape)}, an embedding is float [samples, length]",
                hint="the embedding must be the model's first output; pool it over time in the model",
            )
        if labels is None:
            return
        check_integers(labels, len(vectors), f"{len(vectors)} samples need one identity each", IDENTITIES)
        counts = np.unique(labels, return_counts=True)[1]
        if counts.max(initial=0) < 2 or len(counts) < 2:
            raise DataError(
                f"{len(labels)} samples have {len(counts)} identities: there is nothing to find",
                hint="the set needs two identities, and two samples of one of them",
            )

    def answers(self, outputs: Outputs) -> Array:
        """Embeddings float32 [N, D] of length 1."""
        return normalized(first_output(outputs)[1])

    def score(self, answers: Answers, labels: Array) -> Scores:
        """Quality of each sample as a query of all others; for `eer`, the share of its pairs that are decided right.

        Samples that are the only one of their identity are no queries, and are only searched among.
        """
        if self.metric_name == "eer":
            return _verified(answers, labels)
        each = _average_precision(answers, labels) if self.metric_name == "map" else _recall(answers, labels, self.k)
        queries = _others_of_identity(labels) > 0
        if queries.all():
            return Scores(each)

        def pooled(indices: Array) -> float:
            drawn = indices[queries[indices]]
            return float(each[drawn].mean()) if len(drawn) else 0.0

        return Scores(each, pooled)

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """1 where a sample finds itself: the cosine of its two embeddings reaches `cosine`, and no other is nearer.

        That is what devices need whose queries are answered from a gallery of the reference. Embeddings of some
        networks are all near each other, so that the cosine alone tells nothing. Others are at most GALLERY samples.
        """
        own = (reference * candidate).sum(axis=1)
        gallery = reference[:: max(1, -(-len(reference) // GALLERY))]
        nearest = np.concatenate([block.max(axis=1) for _, block in cosine_blocks(candidate, gallery)])
        same = ~reference.any(axis=1) & ~candidate.any(axis=1)
        return np.asarray(same | ((own >= self.cosine - TIE) & (own >= nearest - TIE)), np.float64)

    def chance(self, labels: Array) -> float | None:
        """Expected metric of others in any order; of `map` without what the order of few adds."""
        if self.metric_name == "eer":
            return 0.5
        others = _others_of_identity(labels)
        queries, total = others[others > 0], len(labels) - 1
        missed = np.ones(len(queries))
        for i in range(min(self.k, total) if self.metric_name == "recall" else 1):
            missed *= np.maximum(total - queries - i, 0) / (total - i)
        return float(1 - missed.mean())

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        return class_text(int(labels[i]), classes) if classes else f"identity {labels[i]}"


def _others_of_identity(labels: Array) -> Array:
    """Number of other samples of each sample's identity, int64 [N]."""
    _, group, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return np.asarray(counts[group] - 1)


def _recall(vectors: Array, labels: Array, k: int) -> Array:
    """1 where fewer than `k` samples of other identities are as near as the nearest of the own; equal cosines lose."""
    hits = np.zeros(len(labels))
    for part, cosines in cosine_blocks(vectors, vectors):
        own = labels[part, None] == labels
        nearest = np.where(own & ~_diagonal(part, (len(own), len(labels))), cosines, -2).max(axis=1)
        hits[part] = (nearest > -2) & ((~own & (cosines >= nearest[:, None])).sum(axis=1) < k)
    return hits


def _average_precision(vectors: Array, labels: Array) -> Array:
    """Average precision of each sample's others, ranked by their cosines; of equal ones other identities come first."""
    each = np.zeros(len(labels))
    for part, cosines in cosine_blocks(vectors, vectors):
        own = labels[part, None] == labels
        diagonal = _diagonal(part, (len(own), len(labels)))
        order = np.lexsort((own, -np.where(diagonal, -2, cosines)), axis=1)
        right = np.take_along_axis(own & ~diagonal, order, axis=1)
        precision = np.cumsum(right, axis=1) / np.arange(1, len(labels) + 1)
        each[part] = (precision * right).sum(axis=1) / np.maximum(right.sum(axis=1), 1)
    return each


def _diagonal(part: slice, shape: tuple[int, int]) -> Array:
    """True where a query, of those in `part`, meets itself."""
    return np.eye(*shape, int(part.start), dtype=bool)


def _verified(vectors: Array, labels: Array) -> Scores:
    """Equal error rate of pairs; a resample of the samples has a pair as often as it has both of them together."""
    first, second = identity_pairs(labels)
    same = labels[first] == labels[second]
    cosines = (vectors[first] * vectors[second]).sum(axis=1)
    curve, count = RocCurve(cosines, same), len(labels)
    right = (cosines >= curve.eer_threshold) == same
    pairs = drawn_counts(np.append(first, second), count)
    each = np.bincount(np.append(first, second), np.append(right, right), count) / np.maximum(pairs, 1)

    def pooled(indices: Array) -> float:
        drawn = drawn_counts(indices, count)
        return curve.eer(drawn[first] * drawn[second])

    return Scores(each, pooled)


def identity_pairs(labels: Array) -> tuple[Array, Array]:
    """Draw pairs of samples, two arrays int64 [P]: of one identity, and as many of two; at most PAIRS of each.

    The same pairs for the same labels.
    """
    random, count = np.random.default_rng(0), len(labels)
    order = np.argsort(labels, kind="stable")
    steps = [np.stack([order[:-step], order[step:]]) for step in range(1, int(_others_of_identity(labels).max()) + 1)]
    same, total = [], 0
    for pair in steps:  # neighbours of one identity first, then the next but one
        pair = pair[:, labels[pair[0]] == labels[pair[1]]]
        same.append(pair)
        total += pair.shape[1]
        if total >= PAIRS:
            break
    first, second = np.concatenate(same, axis=1)[:, :PAIRS]
    others = random.integers(0, count, (2, 4 * len(first) + 64))
    others = others[:, labels[others[0]] != labels[others[1]]][:, : len(first)]
    return np.append(first, others[0]), np.append(second, others[1])
