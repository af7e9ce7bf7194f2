import numpy as np
import pytest

from edgekit import plugins
from edgekit.errors import DataError
from edgekit.parity.metrics import TopOne
from tests.parity.examples import logits


def test_classification_is_scored_by_top_one() -> None:
    assert plugins.load("metrics", "classification") is TopOne


def test_top_one_scores_a_sample_by_whether_the_largest_output_is_at_its_label() -> None:
    outputs = {"output": np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]], np.float32)}
    labels = np.array([1, 1, 1])
    metric = TopOne()
    metric.check(outputs, labels)
    assert metric.answers(outputs).tolist() == [1, 0, 1]
    assert metric.scores(outputs, labels).tolist() == [1.0, 0.0, 1.0]
    assert metric.scores(outputs, labels).dtype == np.float64


def test_the_first_output_is_what_counts() -> None:
    outputs = {"classes": logits(np.array([3, 4])), "features": np.zeros((2, 7), np.float32)}
    TopOne().check(outputs, np.array([3, 4]))
    assert TopOne().scores(outputs, np.array([3, 4])).tolist() == [1.0, 1.0]


def test_of_equal_outputs_the_first_class_is_the_answer() -> None:
    assert TopOne().answers({"output": np.zeros((1, 5), np.float32)}).tolist() == [0]


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
        TopOne().check({"output": logits(np.array([0, 1, 2]))}, labels)


INDICES = "labels are indices into [model] classes, 0 for the first: labels.astype('int64')"


@pytest.mark.parametrize(
    ("labels", "hint"),
    [
        (np.eye(3), "of one column a class: labels.argmax(axis=1)"),
        (np.array([[0], [1], [2]]), "labels.reshape(-1)"),
        (np.array([[[0]], [[1]], [[2]]]), "labels.reshape(-1)"),
        (np.zeros((3, 2, 2)), INDICES),
        (np.array([0.0, 1.0, 2.0]), INDICES),
        (np.array([0, 1]), INDICES),
    ],
)
def test_how_to_make_classes_of_labels_is_told_by_what_they_look_like(labels: np.ndarray, hint: str) -> None:
    with pytest.raises(DataError) as caught:
        TopOne().check({"output": logits(np.array([0, 1, 2]))}, labels)
    assert caught.value.hint == hint


def test_an_output_that_holds_no_class_scores_is_refused() -> None:
    with pytest.raises(DataError, match=r"output 'mask' has shape \[2, 4, 4\]") as error:
        TopOne().check({"mask": np.zeros((2, 4, 4), np.float32)}, np.array([0, 1]))
    assert error.value.hint == "the class scores must be the model's first output"
