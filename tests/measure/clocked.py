"""This machine as an emulated device, for tests of what is made of a count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from edgekit.devices.local import Local
from edgekit.devices.transport import Completed, DeviceKind

# The runner with a clock in the counter's place, which the kernel of this machine may not lend.
CLOCKED = """
import sys, time
sys.path.insert(0, sys.argv.pop(1))
from runner import __main__, probe

class Clock(probe.Counter):
    def __init__(self): pass
    def __exit__(self, *exc): pass
    def each(self, call, sample, count):
        call(sample)
        return [time.perf_counter_ns() for _ in range(count)]

probe.Counter, __main__.hold_still = Clock, lambda: None
sys.exit(__main__.main(sys.argv[1:]))
"""


class Emulated(Local):
    """A device that says it is emulated; `asked` holds the verbs of the runner."""

    kind: ClassVar[DeviceKind] = "emulated"
    asked: ClassVar[list[str]] = []

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        self.asked.append(argv[2] if len(argv) > 2 else "")
        if "instructions" in argv:
            argv = [self.python, "-c", CLOCKED, *argv[1:]]
        return super().run(argv, timeout=timeout)
