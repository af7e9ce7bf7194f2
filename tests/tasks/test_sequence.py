"""Sequences and tags: edits, words, CTC and spans, counted by hand or by a plain recursion."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from edgekit.errors import DataError, SpecError
from edgekit.ir.measurement import Array
from edgekit.tasks.registry import task_named
from edgekit.tasks.sequence import SequenceTask
from edgekit.tasks.tagging import Tagging
from edgekit.tasks.token_sequences import bio_spans, ctc_best_path, edit_distance

WORDS = "_ abcdefghijklmnopqrstuvwxyz"


def levenshtein(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    """The definition, by recursion."""

    @cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        changed = distance(i - 1, j - 1) + (first[i - 1] != second[j - 1])
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, changed)

    return distance(len(first), len(second))


def scores_of(paths: list[list[int]], tokens: int) -> Array:
    """Scores [N, T, tokens] whose best paths these are."""
    return np.asarray(np.eye(tokens, dtype=np.float32)[np.array(paths)])


@given(st.lists(st.integers(0, 3), max_size=9), st.lists(st.integers(0, 3), max_size=9))
def test_edits_are_those_of_the_definition(first: list[int], second: list[int]) -> None:
    assert edit_distance(np.array(first, int), np.array(second, int)) == levenshtein(tuple(first), tuple(second))


@pytest.mark.parametrize(
    ("first", "second", "edits"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "abc", 0), ("flaw", "lawn", 2), (["a", "b"], ["b"], 1)],
)
def test_edits_of_texts_and_words(first: Any, second: Any, edits: int) -> None:
    assert edit_distance(list(first), list(second)) == edits


@pytest.mark.parametrize(
    ("path", "tokens"),
    [([0, 1, 1, 0, 1, 2, 2, 0], [1, 1, 2]), ([0, 0], []), ([3], [3]), ([1, 1, 1], [1]), ([2, 0, 2], [2, 2])],
)
def test_ctc_merges_repeats_and_leaves_out_blanks(path: list[int], tokens: list[int]) -> None:
    assert ctc_best_path(np.array(path), 0).tolist() == tokens


def test_character_error_rate_is_of_all_edits_over_all_tokens() -> None:
    task = SequenceTask()
    outputs = {"o": scores_of([[1, 1, 0, 2, 0, 0], [3, 0, 3, 3, 0, 1], [0, 0, 0, 0, 0, 0]], 4)}
    labels = task.collect([[1, 2], [3, 3, 2, 1], [2]], 4)
    task.check(outputs, labels)
    answers = task.answers(outputs)
    assert [row[row >= 0].tolist() for row in answers] == [[1, 2], [3, 3, 1], []]
    scores = task.score(answers, labels)
    assert scores.value == pytest.approx((0 + 1 + 1) / 7)
    assert scores.at(np.array([1, 1])) == pytest.approx(2 / 8)
    assert scores.each.tolist() == [1, 0.75, 0]
    assert SequenceTask(metric_name="exact").score(answers, labels).value == pytest.approx(1 / 3)
    assert task.chance(labels) == 1.0
    assert not task.metric.higher_is_better
    channels_first = {"o": outputs["o"].swapaxes(1, 2)}
    assert (SequenceTask(channels="first").answers(channels_first) == answers).all()
    assert (SequenceTask(blank=-1).answers({"o": np.roll(outputs["o"], -1, axis=2)}) == answers - (answers > 0)).all()


def test_words_are_of_the_vocabulary_and_texts_are_labels() -> None:
    task: Any = task_named("sequence", {"metric": "wer", "vocabulary": WORDS})
    labels = task.collect(["the cat sat", "on mats"], 0)
    encoded = [[WORDS.index(one) for one in path] for path in ("the cat sad", "on mats____")]
    answers = task.answers({"o": scores_of(encoded, len(WORDS))})
    assert task.show(answers, 0) == "'the cat sad'"
    assert task.show_label(labels, 1) == "'on mats'"
    assert task.score(answers, labels).value == pytest.approx(1 / 5)
    with pytest.raises(DataError, match="the label of sample 1 has 'X'"):
        task.collect(["a", "X"], 0)
    pieces: Any = task_named("sequence", {"metric": "wer", "vocabulary": ["_", "▁in", "side", "▁out"]})
    assert pieces.show(np.array([[1, 2, 3]]), 0) == "'inside out'"


def test_tokens_end_at_the_end_token() -> None:
    task = SequenceTask(end=9)
    answers = task.answers({"o": np.array([[4, 5, 9, 5], [9, 1, 1, 1], [1, 2, 3, -1]])})
    assert answers.tolist() == [[4, 5, -1], [-1, -1, -1], [1, 2, 3]]
    assert task.score(answers, task.collect([[4, 5, 9], [9], [1, 2, 3, 9]], 0)).value == 0
    best = SequenceTask(end=3, decoder="argmax").answers({"o": scores_of([[1, 1, 3, 1]], 4)})
    assert best.tolist() == [[1, 1]]
    assert SequenceTask().show(best, 0) == "1 1"


def test_answers_agree_by_the_tokens_they_share() -> None:
    one, other = np.array([[1, 2, 3], [-1, -1, -1]]), np.array([[1, 3, -1], [-1, -1, -1]])
    assert SequenceTask().agreement(one, other).tolist() == [pytest.approx(2 / 3), 1]
    assert SequenceTask().agreement(one, one).tolist() == [1, 1]
    assert SequenceTask().distinct(one) == 2


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[1, 9]], "label 9 of sample 0 is outside 0 to 3"),
        ([[0.5]], "tokens are whole numbers"),
        ([3, 4], r"the label of sample 0 has shape \[\]"),
        (["ab"], "the label of sample 0 has 'a'"),
    ],
)
def test_labels_that_are_no_tokens_are_refused(labels: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        SequenceTask().collect(labels, 4)


def test_wrong_options_are_told_with_what_they_need() -> None:
    with pytest.raises(SpecError, match="'wer' needs the texts of the tokens"):
        task_named("sequence", {"metric": "wer"})
    with pytest.raises(SpecError, match="'span-f1' needs the names of the classes"):
        task_named("tagging", {"metric": "span-f1"})
    with pytest.raises(SpecError, match="tag 'PER' is neither"):
        task_named("tagging", {"tags": ["O", "PER"]})


def test_a_vocabulary_of_another_length_is_refused() -> None:
    with pytest.raises(DataError, match="scores 4 tokens, the vocabulary has 2"):
        SequenceTask(vocabulary=("_", "a")).check({"o": np.zeros((1, 2, 4))}, None)
    with pytest.raises(DataError, match="label 4 of sample 0 is outside 0 to 3"):
        SequenceTask().check({"o": np.zeros((1, 2, 4))}, np.array([[4]]))


TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O B-PER I-PER O", {("PER", 1, 3)}),
        ("B-PER B-PER", {("PER", 0, 1), ("PER", 1, 2)}),
        ("I-LOC I-LOC O I-LOC", {("LOC", 0, 2), ("LOC", 3, 4)}),
        ("B-PER I-LOC", {("PER", 0, 1), ("LOC", 1, 2)}),
        ("O O", set()),
    ],
)
def test_spans_begin_and_end_as_in_conlleval(tags: str, spans: set[tuple[str, int, int]]) -> None:
    assert bio_spans(tags.split()) == spans


def test_span_f1_is_of_the_spans_of_all_sequences() -> None:
    task = Tagging(metric_name="span-f1", tags=TAGS)
    labels = task.collect([[0, 1, 2, 0], [3, 4, 0]], 0)
    answers = np.array([[0, 1, 2, 3], [3, 0, 0, 1]])
    scores = task.score(answers, labels)
    # right: PER of the first; surplus: LOC of the first, a short LOC of the second; missed: the LOC of the second
    assert scores.value == pytest.approx(2 * 1 / (2 * 1 + 2 + 1))
    assert scores.each.tolist() == [pytest.approx(2 / 3), 0]
    assert task.show(answers, 0) == "O B-PER I-PER B-LOC"
    assert task.chance(labels) == 0


def test_token_accuracy_is_of_all_places_that_have_a_label() -> None:
    random = np.random.default_rng(0)
    scores = random.normal(size=(6, 7, 5))
    labels = random.integers(0, 5, (6, 7))
    labels[:, 5:] = -100
    task = Tagging()
    collected = task.collect(list(labels), 5)
    task.check({"o": scores}, collected)
    answers = task.answers({"o": scores})
    expected = accuracy_score(labels[:, :5].ravel(), scores.argmax(2)[:, :5].ravel())
    assert task.score(answers, collected).value == pytest.approx(expected)
    assert Tagging(metric_name="exact").score(answers, np.where(collected < 0, -1, answers)).value == 1
    turned = Tagging(channels="first")
    turned.check({"o": scores.swapaxes(1, 2)}, collected)
    assert (turned.answers({"o": scores.swapaxes(1, 2)}) == answers).all()
    assert (task.answers({"o": answers.astype(np.int32)}) == answers).all()
    assert task.agreement(answers, np.where(np.arange(7) < 3, answers, -5)).tolist() == [pytest.approx(3 / 7)] * 6
    counts = np.bincount(labels[:, :5].ravel())
    assert task.chance(collected) == pytest.approx(counts.max() / counts.sum())


@pytest.mark.parametrize(
    ("outputs", "labels", "message"),
    [
        (np.zeros((2, 4)), None, "tagging needs scores"),
        (np.zeros((2, 4, 3)), np.zeros((2, 5), int), "output 'o' has 4 places"),
        (np.zeros((2, 4, 3)), np.full((2, 4), 3), "label 3 of sample 0 is outside 0 to 2"),
    ],
)
def test_outputs_and_labels_that_do_not_go_together_are_refused(outputs: Array, labels: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Tagging().check({"o": outputs}, labels)
