"""Run-queue wait: time for which this program was ready to run and had no core."""

from __future__ import annotations

import re
from pathlib import Path

from ..machine.sysfs import ROOT, text


def waited_ns(root: Path = ROOT) -> int | None:
    """Nanoseconds that the threads of this process waited for a core since they were started, summed.

    None where the kernel does not count (CONFIG_SCHED_INFO). A thread that ends takes its share with it: a difference
    of two readings is right as long as the runtime keeps its threads. Linux, Documentation/scheduler/sched-stats.rst.
    """
    lines = [text(thread / "schedstat") for thread in (root / "proc/self/task").glob("*")]
    matches = [re.fullmatch(r"\d+ (\d{1,19}) \d+", line, re.ASCII) for line in lines if line]
    waits = [int(match.group(1)) for match in matches if match]
    return sum(waits) if waits else None
