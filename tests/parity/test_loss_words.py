"""Words on a loss: a change that is sure and no matter is not called better or worse."""

from __future__ import annotations

import pytest

from edgekit.parity.loss_words import loss_words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.01, 0.002, "no change shows"),
        (-0.0004, -0.0001, "it has changed by less than 0.1 points"),
        (0.0001, 0.0004, "it has changed by less than 0.1 points"),
        (-0.0015, -0.0001, "it has become slightly better"),
        (-0.03, -0.001, "it has become better"),
        (0.002, 0.03, "it has become worse"),
    ],
)
def test_a_change_is_called_what_it_is(low: float, high: float, words: str) -> None:
    assert loss_words(low, high) == words
