"""Plan of the power cuts: drawn from a seed, before anything is flashed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Kind = Literal["moment", "call"]
PUSH = "archive"
DROP, GO_BACK = "drop", "go back"
INSTALL = ("begin", "stage", "self-test", "trial", "commit")
"""Steps of a flash that one process on the device takes, in this order. `stage` unpacks and verifies first."""
STEPS = (PUSH, *INSTALL, DROP, GO_BACK)
"""Steps of a flash and its end: a push, that process, and the verb by which `rollback` drops a trial, or what is
served."""


@dataclass(frozen=True)
class Cut:
    """One cut: `at` (from 0 to 1) of the way through a step.

    A `moment` is a share of the step's seconds; a `call` one of the changes that the step makes to files, counted.
    """

    number: int
    step: str
    kind: Kind
    at: float

    @property
    def end(self) -> str:
        """The verb that ends the flash."""
        return self.step if self.step in (DROP, GO_BACK) else "commit"


def plan(count: int, seed: int) -> tuple[Cut, ...]:
    """So many cuts: every step has its turn before one has its next. The same seed, the same plan."""
    drawn = random.Random(seed)
    steps: list[str] = []
    while len(steps) < count:
        steps += drawn.sample(STEPS, len(STEPS))
    cuts = []
    for number, step in enumerate(steps[:count], 1):
        call = step != PUSH and drawn.random() < 0.5
        cuts.append(Cut(number, step, "call" if call else "moment", drawn.random()))
    return tuple(cuts)
