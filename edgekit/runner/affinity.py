"""Which cores this program runs on."""

from __future__ import annotations

import os
from collections.abc import Sequence

from .errors import RunnerError


def pin(cores: Sequence[int]) -> None:
    """Keep to `cores`, and every thread that is started from now on: before the runtime is loaded.

    Raises RunnerError (usage) if there is no such core, or the system does not let one choose.
    """
    if not hasattr(os, "sched_setaffinity"):
        raise RunnerError("usage", "this system does not let a program choose its cores")
    allowed = sorted(os.sched_getaffinity(0))
    missing = sorted(set(cores) - set(allowed))
    if missing or not cores:
        wanted = f"no core {', '.join(map(str, missing))}" if missing else "no core asked for"
        raise RunnerError("usage", f"there is {wanted}: this program may use {', '.join(map(str, allowed))}")
    os.sched_setaffinity(0, cores)
