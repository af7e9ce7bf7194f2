"""A device that takes bundles and answers no measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from edgekit.devices.local import Local
from edgekit.devices.transport import Completed
from edgekit.errors import Unreachable

MEASURING = {"accuracy", "instructions", "latency", "operators", "throughput"}


@dataclass(frozen=True)
class Deaf(Local):
    """Keeps what it was asked to measure, from the options that say how on, and the time limit in seconds."""

    asked: list[tuple[str, float]] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        if MEASURING & set(argv):
            self.asked.append((" ".join(argv[argv.index("--out") + 2 :]), timeout))
            raise Unreachable(f"no answer from '{self.url}'")
        return super().run(argv, timeout=timeout)
