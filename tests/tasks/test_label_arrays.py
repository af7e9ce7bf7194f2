"""Labels of all samples in one array, refused where they are no numbers or of no common form."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.errors import DataError
from edgekit.tasks.label_arrays import PAD, check_range, is_labelled, padded, stacked, unlabelled


def test_labels_of_another_number_each_are_padded_to_the_longest() -> None:
    boxes = padded([[[0, 1, 2, 3, 4]], [], np.ones((2, 5), int)], 5, "boxes")
    assert boxes.shape == (3, 2, 5)
    assert boxes.dtype == np.int64
    assert (boxes[0, 1] == PAD).all()
    assert (boxes[1] == PAD).all()
    assert boxes[2].tolist() == [[1] * 5] * 2
    reals = padded([[0.5], [1.5, 2.5]], None, "numbers")
    assert np.isnan(reals[0, 1])
    assert reals[1].tolist() == [1.5, 2.5]


def test_labels_that_are_all_empty_are_still_labels() -> None:
    assert is_labelled(padded([[], []], 5, "boxes"))
    assert not is_labelled(unlabelled(2))


@pytest.mark.parametrize("label", [[1, 2], [[1, 2, 3]], 7, ["a"]])
def test_a_label_of_another_width_is_named(label: object) -> None:
    with pytest.raises(DataError, match=r"sample 1 has shape|not numbers"):
        padded([[[1, 2]], label], 2, "pairs")


def test_labels_of_different_shapes_do_not_stack() -> None:
    with pytest.raises(DataError, match="labels have different shapes"):
        stacked([1, [1, 2]])


def test_the_first_label_out_of_range_is_named_and_the_rest_counted() -> None:
    check_range(np.array([[0, PAD], [2, 1]]), 3, "classes", pads=True)
    with pytest.raises(DataError, match=r"label -1 of sample 0 is outside 0 to 2 \(1 of 2 are\)"):
        check_range(np.array([[0, PAD], [2, 1]]), 3, "classes")
    with pytest.raises(DataError, match=r"label 9 of sample 1 is outside 0 to 2 \(2 of 3 are\)"):
        check_range(np.array([0, 9, 5]), 3, "classes")
