"""CPU affinity: the cores that this program runs on."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..errors import RunnerError


def pin(cores: Sequence[int]) -> None:
    """Pin this program, with every thread that it starts later, to `cores`; call it before a runtime is loaded.

    Raises RunnerError (usage) if there is no such core, or the system does not let one choose.
    """
    if not cores:
        return
    if not hasattr(os, "sched_setaffinity"):
        raise RunnerError("usage", "this system does not let a program choose its cores")
    allowed = sorted(os.sched_getaffinity(0))
    missing = sorted(set(cores) - set(allowed))
    if missing:
        absent, present = (", ".join(map(str, some)) for some in (missing, allowed))
        raise RunnerError("usage", f"there is no core {absent}: this program may use {present}")
    os.sched_setaffinity(0, cores)
