"""A way to a device that says which step of a flash it is at."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import ClassVar, Self

from edgekit.devices.transport import PULL_BYTES, Completed, DeviceKind, Transport
from scripts.cuts import halting
from scripts.cuts.plan import DROP, GO_BACK, INSTALL, PUSH, Cut

HALTING = PurePosixPath("/tmp/halting.py")


@dataclass(frozen=True)
class Cost:
    """Cost of a step that nobody cut: seconds, and changes to files, which are counted for verbs only."""

    seconds: float
    changes: int = 0
    seconds_before: float = 0.0
    """Seconds from the start of the process that takes the step, and others before it."""
    changes_before: int = 0


@dataclass
class RecordedTransport:
    """Hands everything on to `device`. `reached` is set when the step of `cut` begins."""

    kind: ClassVar[DeviceKind] = "emulated"

    device: Transport
    cut: Cut | None = None
    expected: Cost | None = None
    """Cost of that step when it was not cut."""
    begun: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    """The steps that ended well."""
    costs: dict[str, Cost] = field(default_factory=dict)
    reached: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.url, self.root, self.python = self.device.url, self.device.root, self.device.python

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None: ...

    @property
    def mark(self) -> str:
        return f"halted at cut {self.cut.number if self.cut else 0}"

    def push(self, local: Path, remote: PurePosixPath) -> None:
        step = PUSH if remote.suffix == ".tar" else ""
        started = self.begin(step)
        self.device.push(local, remote)
        if step:
            self.answered.append(step)
            self.costs[step] = Cost(time.monotonic() - started)

    def pull(self, remote: PurePosixPath, local: Path, limit: int = PULL_BYTES) -> None:
        self.device.pull(remote, local, limit)

    def free_bytes(self, folder: PurePosixPath) -> int | None:
        return self.device.free_bytes(folder)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        place = next((k for k, word in enumerate(argv) if word.endswith(".pyz")), None)
        steps = self._steps(argv[place + 1 :]) if place else ()
        if not steps:
            return self.device.run(argv, timeout=timeout)
        argv = [*argv[:place], str(HALTING), str(self._last(steps)), self.mark, *argv[place:]]
        started = time.monotonic()
        for step in steps:
            self.begin(step)
        ended = self.device.run(argv, timeout=timeout)
        told = re.search(rf"{halting.COUNTED} (.+)\n?", ended.stderr)
        if ended.returncode == 0 and told:
            self.answered += steps
            self.costs |= costs(json.loads(told[1]), steps, time.monotonic() - started)
        return replace(ended, stderr=ended.stderr.replace(told[0], "") if told else ended.stderr)

    def _steps(self, words: Sequence[str]) -> tuple[str, ...]:
        """Steps that a verb of the runner takes; for one that will halt, up to there."""
        if words[:2] == ["slots", "rollback"]:
            return (GO_BACK if "commit" in self.answered else DROP,)
        if words[:2] == ["slots", "commit"]:
            return ("commit",)
        if words[:2] != ["slots", "install"]:
            return ()
        steps = INSTALL if "--commit" in words else INSTALL[:-1]
        halts = self.cut is not None and self.cut.kind == "call" and self.cut.step in steps
        return steps[: steps.index(self.cut.step) + 1] if self.cut and halts else steps

    def _last(self, steps: Sequence[str]) -> int:
        """The change at which the verb halts; 0 for none."""
        if self.cut is None or self.expected is None or self.cut.kind != "call" or self.cut.step not in steps:
            return 0
        return self.expected.changes_before + 1 + int(self.cut.at * self.expected.changes)

    def begin(self, step: str) -> float:
        """The time by which this step, if it is one, began, or the process that takes it."""
        if step:
            self.begun.append(step)
        if self.cut and self.cut.step == step:
            self.reached.set()
        return time.monotonic()


def costs(reached: Mapping[str, tuple[int, float]], steps: Sequence[str], seconds: float) -> dict[str, Cost]:
    """The cost of each step of a process that took so many `seconds`.

    It says at which change and second each was `reached`; its clock is an emulated device's, and counts instructions.
    """
    end = reached[halting.END]
    pace = seconds / end[1]
    times = [reached.get(step, (0, 0.0)) for step in steps]
    costs = {}
    for step, (changes, at_s), (changes_after, after_s) in zip(steps, times, [*times[1:], end], strict=True):
        costs[step] = Cost((after_s - at_s) * pace, changes_after - changes, at_s * pace, changes)
    return costs
