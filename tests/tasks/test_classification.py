from typing import Literal

import numpy as np
import pytest
from sklearn.metrics import f1_score

from edgekit.errors import DataError
from edgekit.tasks.classification import Classification, MultiLabel
from edgekit.tasks.metric import Metric
from edgekit.tasks.secondary import SecondaryFigure, finite
from tests.parity.examples import logits


def test_top_one_scores_a_sample_by_whether_the_largest_output_is_at_its_label() -> None:
    outputs = {"output": np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], np.float32)}
    labels = np.array([1, 1, 1])
    task = Classification()
    task.check(outputs, labels)
    answers = task.answers(outputs)
    assert answers.tolist() == [[1, 0], [0, 1], [1, 0]]
    scores = task.score(answers, labels)
    assert scores.each.tolist() == [1.0, 0.0, 1.0]
    assert scores.each.dtype == np.float64
    assert scores.value == pytest.approx(2 / 3)
    assert task.metric == Metric("top1", "share", True)


def test_the_first_output_is_what_counts() -> None:
    outputs = {"classes": logits(np.array([3, 4])), "features": np.zeros((2, 7), np.float32)}
    labels = np.array([3, 4])
    Classification().check(outputs, labels)
    assert Classification().score(Classification().answers(outputs), labels).each.tolist() == [1.0, 1.0]


def test_of_equal_outputs_the_first_class_is_the_answer() -> None:
    assert Classification().answers({"output": np.zeros((1, 5), np.float32)}).tolist() == [[0, 1, 2, 3, 4]]


def test_top_five_counts_a_label_among_the_five_largest_scores_and_agrees_on_the_first() -> None:
    task = Classification(metric_name="top5")
    outputs = {"output": np.array([[9, 8, 7, 6, 5, 4, 3.0], [9, 8, 7, 6, 5, 4, 3.0]])}
    labels = np.array([4, 5])
    assert task.score(task.answers(outputs), labels).each.tolist() == [1, 0]
    assert task.chance(np.array([0, 0, 0, 1, 2, 3, 4, 5])) == 7 / 8
    swapped = {"output": outputs["output"][:, [1, 0, 2, 3, 4, 5, 6]]}
    assert task.agreement(task.answers(outputs), task.answers(swapped)).tolist() == [0, 0]


@pytest.mark.parametrize("seed", range(5))
def test_f1_is_scikit_learns_over_all_samples_and_over_any_part_of_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels, scores = random.integers(0, 4, 50), random.random((50, 4))
    task = Classification(metric_name="f1")
    counted = task.score(task.answers({"output": scores}), labels)
    assert counted.value == pytest.approx(f1_score(labels, scores.argmax(1), average="macro"))
    part = random.integers(0, 50, 20)
    expected = f1_score(labels[part], scores[part].argmax(1), average="macro", zero_division=1)
    assert counted.at(part) == pytest.approx(expected)


@pytest.mark.parametrize("macro", [False, True])
def test_multi_label_f1_is_scikit_learns(macro: bool) -> None:
    random = np.random.default_rng(3)
    labels, scores = random.integers(0, 2, (60, 5)), random.normal(size=(60, 5))
    task = MultiLabel(threshold=0.25, macro=macro)
    collected = task.collect(list(labels), 5)
    task.check({"output": scores}, collected)
    expected = f1_score(labels, scores >= 0.25, average="macro" if macro else "micro")
    assert task.score(task.answers({"output": scores}), collected).value == pytest.approx(expected)


def test_multi_label_answers_agree_by_the_classes_they_share() -> None:
    task = MultiLabel()
    one, other = np.array([[1, 1, -1], [-1, -1, -1.0]]), np.array([[1, -1, -1], [-1, -1, -1.0]])
    assert task.agreement(task.answers({"o": one}), task.answers({"o": other})).tolist() == [0.5, 1.0]
    assert task.show(task.answers({"o": one}), 0, ("red", "round", "old")) == "red, round"
    assert task.show(task.answers({"o": one}), 1) == "no class"


@pytest.mark.parametrize("labels", [[[0, 2]], [[0.5, 1]], [3], [[0, 1, 1]]])
def test_flags_of_another_kind_are_refused(labels: list[object]) -> None:
    with pytest.raises(DataError) as caught:
        MultiLabel().collect(labels, 2)
    assert "0 or 1" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0, 10, -1]), r"label 10 of sample 1 is outside 0 to 9 \(2 of 3 are\)"),
        (np.array([0, 1]), r"labels are int64 \[2\], classification of 3 samples needs one integer each"),
        (np.array([0.0, 1.0, 2.0]), r"labels are float64 \[3\]"),
        (np.array([[0], [1], [2]]), r"labels are int64 \[3, 1\]"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Classification().check({"output": logits(np.array([0, 1, 2]))}, labels)


INDICES = "labels are indices into [model] classes, 0 for the first: labels.astype('int64')"


@pytest.mark.parametrize(
    ("labels", "hint"),
    [
        (
            np.eye(3),
            "of one column a class: labels.argmax(axis=1); several classes a sample: [model] task = 'multi-label'",
        ),
        (np.array([[0], [1], [2]]), "labels.reshape(-1)"),
        (np.array([[[0]], [[1]], [[2]]]), "labels.reshape(-1)"),
        (np.zeros((3, 2, 2)), INDICES),
        (np.array([0.0, 1.0, 2.0]), INDICES),
        (np.array([0, 1]), INDICES),
    ],
)
def test_how_to_make_classes_of_labels_is_told_by_what_they_look_like(labels: np.ndarray, hint: str) -> None:
    with pytest.raises(DataError) as caught:
        Classification().check({"output": logits(np.array([0, 1, 2]))}, labels)
    assert caught.value.hint == hint


def test_an_output_that_holds_no_class_scores_is_refused() -> None:
    with pytest.raises(DataError, match=r"output 'mask' has shape \[2, 4, 4\]") as error:
        Classification().check({"mask": np.zeros((2, 4, 4), np.float32)}, np.array([0, 1]))
    assert "the class scores must be the model's first output" in str(error.value.hint)


def test_the_best_five_of_four_classes_are_no_figure() -> None:
    answers = Classification().answers({"output": np.eye(4)})
    assert Classification().secondary(answers, answers, np.arange(4)) == ()


def test_top_one_and_top_five_are_both_measured_whichever_gates_name() -> None:
    outputs, labels = {"output": np.random.default_rng(0).random((50, 20))}, np.arange(50) % 20
    pairs: list[tuple[Literal["top1", "top5"], Literal["top1", "top5"]]] = [("top1", "top5"), ("top5", "top1")]
    for name, other in pairs:
        task, counted = Classification(metric_name=name), Classification(metric_name=other)
        answers = task.answers(outputs)
        value = counted.score(answers, labels).value
        figure = SecondaryFigure(name=other, reference=value, candidate=value)
        assert task.secondary(answers, answers, labels) == (figure,)
        assert task.secondary(answers, answers, None) == ()


def test_a_figure_that_is_no_number_is_left_out() -> None:
    numbers = [SecondaryFigure(name="a", candidate=value) for value in (1.0, np.inf, np.nan)]
    assert finite([*numbers, SecondaryFigure(name="b", reference=np.inf, candidate=1.0)]) == (numbers[0],)


def test_as_many_classes_as_scores_have_names() -> None:
    """Names beyond the scores stand for answers that no sample can get: a build refuses them by this count."""
    assert Classification().class_count({"scores": np.zeros((2, 10)), "more": np.zeros((2, 7))}) == 10
