"""The parent-death signal of Linux (prctl(2), PR_SET_PDEATHSIG). Standard library only."""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
"""Number of the option in linux/prctl.h."""


def parent_death_signal() -> Callable[[], None]:
    """Make a function that has Linux kill the calling process when its parent ends.

    For `preexec_fn` of a subprocess: the C library is loaded here, before the fork. Raises OSError, or AttributeError
    from the function, where the system has no `prctl`.
    """
    library = ctypes.CDLL(None)
    return lambda: library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
