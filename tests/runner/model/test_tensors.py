"""Batches of samples."""

from __future__ import annotations

import numpy as np

from edgekit.runner.model.tensors import batches


def test_the_last_batch_is_filled_up_with_the_first_samples() -> None:
    first, second = batches([np.arange(11)], 8)
    assert first[0].tolist() == list(range(8))
    assert second[0].tolist() == [8, 9, 10, 0, 1, 2, 3, 4]
