"""Language models: perplexity and divergence by SciPy, over any part of the samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.stats import entropy

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.tasks.language_model import LanguageModel

SHAPE = (5, 6, 11)


def logits(seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(scale=2, size=SHAPE).astype(np.float32)


def next_tokens() -> Array:
    labels = np.random.default_rng(9).integers(0, SHAPE[2], SHAPE[:2])
    labels[1, 4:], labels[2] = -1, -1
    return labels


def likelihoods(scores: Array, labels: Array) -> Array:
    """Log-likelihoods of the tokens that count."""
    chosen = np.take_along_axis(log_softmax(scores, axis=2), np.maximum(labels, 0)[..., None], axis=2)[..., 0]
    return np.asarray(chosen[labels >= 0])


def test_perplexity_is_of_all_tokens_that_count() -> None:
    task, labels = LanguageModel(), next_tokens()
    collected = task.collect([*labels[:2], [-100], *labels[3:]], SHAPE[2])
    assert (collected == labels).all()
    task.check({"logits": logits()}, labels)
    scores = task.score(task.answers({"logits": logits()}), labels)
    assert scores.value == pytest.approx(np.exp(-likelihoods(logits(), labels).mean()))
    part = np.array([1, 1, 4])
    assert scores.at(part) == pytest.approx(np.exp(-likelihoods(logits()[part], labels[part]).mean()))
    assert scores.each[0] == pytest.approx(likelihoods(logits()[:1], labels[:1]).mean())
    assert (task.metric.unit, task.metric.higher_is_better) == ("", False)


def test_accuracy_is_measured_beside_it() -> None:
    task, labels = LanguageModel(), next_tokens()
    (accuracy,) = task.secondary(logits(0), logits(1), labels)
    counted = labels >= 0
    expected = (logits(0).argmax(2)[counted] == labels[counted]).mean()
    assert accuracy.name == "accuracy"
    assert accuracy.reference == pytest.approx(expected)
    assert task.secondary(logits(0), logits(0), None) == ()


def test_answers_are_the_logits_and_agree_by_the_best_token() -> None:
    task, scores = LanguageModel(), logits()
    assert task.answers({"logits": scores}) is scores
    assert task.agreement(scores, scores).tolist() == [1] * 5
    expected = (logits(0).argmax(2) == logits(1).argmax(2)).mean(axis=1)
    assert task.agreement(logits(0), logits(1)) == pytest.approx(expected)
    assert task.distinct(scores) == 5
    assert task.distinct(np.zeros(SHAPE)) == 1
    assert task.show(np.eye(3)[None], 0, ("a", "b", "c")) == "a b c"


def test_chance_is_the_distribution_of_the_labels() -> None:
    labels = np.array([[0, 0, 1, -1], [2, 0, -1, -1]])
    assert LanguageModel().chance(labels) == pytest.approx(np.exp(entropy([3, 1, 1])))
    assert LanguageModel(metric_name="accuracy").chance(labels) == pytest.approx(3 / 5)
    constant = np.broadcast_to(np.log([3 / 5, 1 / 5, 1 / 5]), (2, 4, 3))
    assert LanguageModel().score(constant, labels).value == pytest.approx(np.exp(entropy([3, 1, 1])))


@pytest.mark.parametrize(
    ("outputs", "labels", "message"),
    [
        (np.zeros((2, 4, 7, 1)), None, "a language model gives logits"),
        (np.zeros((2, 4, 7)), np.zeros((2, 5), int), "output 'o' has 4 places"),
        (np.zeros((2, 4, 7)), np.full((2, 4), 7), "label 7 of sample 0 is outside 0 to 6"),
        (np.zeros((2, 4, 7)), np.zeros(2, int), r"labels are int64 \[2\]"),
        (np.zeros((2, 7)), np.array([3, 7]), "label 7 of sample 1 is outside 0 to 6"),
    ],
)
def test_outputs_and_labels_that_do_not_go_together_are_refused(
    outputs: Array, labels: Array | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        LanguageModel().check({"o": outputs}, labels)


def test_one_place_a_sample_is_scored_as_a_sequence_of_one() -> None:
    """A model with a cache takes one token a step: logits [N, V], and one next token each."""
    task, scores, labels = LanguageModel(), logits()[:, 0], next_tokens()[:, 0]
    assert (task.collect(list(labels), SHAPE[2]) == labels).all()
    task.check({"logits": scores}, labels)
    answers = task.answers({"logits": scores})
    expected = task.score(logits()[:, :1], labels[:, None])
    assert task.score(answers, labels).value == pytest.approx(expected.value)
    assert task.score(answers, labels).each == pytest.approx(expected.each)
    assert task.secondary(answers, answers, labels) == task.secondary(answers, answers, labels[:, None])
    assert task.chance(labels) == task.chance(labels[:, None])
    assert task.show_label(labels, 0) == task.show_label(labels[:, None], 0)


def test_labels_without_a_token_are_refused() -> None:
    with pytest.raises(DataError, match="no place of any sample has a next token"):
        LanguageModel().collect([[-1], [-100, -100]], 0)
    with pytest.raises(DataError, match="label 7 of sample 1 is outside 0 to 6"):
        LanguageModel().collect([[1], [7]], 7)
