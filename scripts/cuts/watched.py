"""A way to a device that says which step of a flash it is at."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import ClassVar, Self

from edgekit.devices.transport import PULL_BYTES, Completed, DeviceKind, Transport
from scripts.cuts import halting
from scripts.cuts.plan import DROP, GO_BACK, PUSH, STEPS, Cut

HALTING = PurePosixPath("/tmp/halting.py")


@dataclass(frozen=True)
class Cost:
    """What a step took when nobody cut it: seconds, and changes to files, which are counted for verbs only."""

    seconds: float
    changes: int = 0


@dataclass
class Watched:
    """Hands everything on to `device`. `reached` is set when the step of `cut` begins."""

    kind: ClassVar[DeviceKind] = "emulated"

    device: Transport
    cut: Cut | None = None
    expected: Cost | None = None
    """What that step took before."""
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
        self._end(step, started)

    def pull(self, remote: PurePosixPath, local: Path, limit: int = PULL_BYTES) -> None:
        self.device.pull(remote, local, limit)

    def free_bytes(self, folder: PurePosixPath) -> int | None:
        return self.device.free_bytes(folder)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        place = next((k for k, word in enumerate(argv) if word.endswith(".pyz")), None)
        asked = list(argv[place + 1 : place + 3]) if place else []
        step = self._step(asked[1]) if asked[:1] == ["slots"] else ""
        if place is None or step not in STEPS:
            return self.device.run(argv, timeout=timeout)
        argv = [*argv[:place], str(HALTING), str(self._last(step)), self.mark, *argv[place:]]
        started = self.begin(step)
        ended = self.device.run(argv, timeout=timeout)
        counted = re.search(rf"{halting.COUNTED} (\d+)\n?", ended.stderr)
        if ended.returncode == 0:
            self._end(step, started, int(counted[1]) if counted else 0)
        return replace(ended, stderr=ended.stderr.replace(counted[0], "") if counted else ended.stderr)

    def _step(self, verb: str) -> str:
        if verb != "rollback":
            return verb
        return GO_BACK if "commit" in self.answered else DROP

    def _last(self, step: str) -> int:
        """The change at which the verb halts; 0 for none."""
        if self.cut is None or self.expected is None or (self.cut.step, self.cut.kind) != (step, "call"):
            return 0
        return 1 + int(self.cut.at * self.expected.changes)

    def begin(self, step: str) -> float:
        """The time by which this step, if it is one, began."""
        if step:
            self.begun.append(step)
        if self.cut and self.cut.step == step:
            self.reached.set()
        return time.monotonic()

    def _end(self, step: str, started: float, changes: int = 0) -> None:
        if step:
            self.answered.append(step)
            self.costs[step] = Cost(time.monotonic() - started, changes)
