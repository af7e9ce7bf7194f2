"""Parent-death signal, for a process that must not outlive the one that started it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal


def die_with_parent(parent: int) -> None:
    """Ask Linux to end this process when its parent, the process of that number, does, however that ends.

    If that has ended already, so does this one at once. Elsewhere a closed pipe has to do it.
    """
    with contextlib.suppress(OSError, AttributeError):
        pr_set_pdeathsig = 1  # linux/prctl.h
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
