"""Parent-death signal, for a process that must not outlive the one that started it."""

from __future__ import annotations

import contextlib
import os

from edgekit.runner.machine.parent_death import parent_death_signal


def die_with_parent(parent: int) -> None:
    """Ask Linux to end this process when its parent, the process of that number, does, however that ends.

    If that has ended already, so does this one at once. Elsewhere a closed pipe has to do it.
    """
    with contextlib.suppress(OSError, AttributeError):
        parent_death_signal()()
    if os.getppid() != parent:
        os._exit(1)
