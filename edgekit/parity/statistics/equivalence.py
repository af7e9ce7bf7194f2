"""Decision of an interval against limits: non-inferiority with one limit, equivalence with two (TOST)."""

from __future__ import annotations

from typing import Literal

from edgekit.parity.statistics.estimate import Estimate

Decision = Literal["passed", "failed", "undecided"]


def decide(estimate: Estimate, least: float | None, most: float | None) -> Decision:
    """Decide whether a value lies within its limits, each of its bounds at the confidence of the caller.

    Passed where the whole interval lies within: with `most` alone this is the test of non-inferiority at that margin,
    with both limits that of equivalence by two one-sided tests (Schuirmann 1987), which errs at most as often as each
    of them. Failed where the whole interval lies beyond one limit. A limit itself is within.
    """
    over = most is not None and estimate.low > most
    under = least is not None and estimate.high < least
    if over or under:
        return "failed"
    below = most is None or estimate.high <= most
    above = least is None or estimate.low >= least
    return "passed" if below and above else "undecided"
