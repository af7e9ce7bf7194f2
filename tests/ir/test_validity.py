"""A latency is a claim with a validity."""

from __future__ import annotations

import pytest

from edgekit.ir.validity import validity
from edgekit.runner.system import Background


@pytest.mark.parametrize(
    ("count", "background", "reason"),
    [
        (128, 0.5, None),
        (128, 3.1, None),
        (128, None, None),
        (127, 0.5, "127 inferences were timed, 128 were asked for"),
        (128, 3.6, "the machine was busy: others took 3.6 of its 4 cores"),
    ],
)
def test_enough_must_be_timed_and_every_thread_needs_a_core(
    count: int, background: float | None, reason: str | None
) -> None:
    found = validity(count, 128, background, threads=1, cores=4)
    assert (found.valid, found.reason) == (reason is None, reason)


def test_what_this_process_does_itself_is_no_background() -> None:
    with Background() as background:
        sum(range(2_000_000))
    assert background.cores is None or background.cores >= 0
