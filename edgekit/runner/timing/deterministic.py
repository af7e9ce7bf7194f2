"""Deterministic process: no ASLR, a fixed hash seed and a minimal environment.

Otherwise instruction counts of small models vary by 0.1 %.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

DONE = "EDGEKIT_STILL"
ISOLATED = b"-I"
"""Option that the Python of a runtime pack is started with."""
ADDR_NO_RANDOMIZE = 0x0040000
"""Flag of personality(2) that turns ASLR off: Linux, include/uapi/linux/personality.h."""
QUERY = 0xFFFFFFFF
"""Argument of personality(2) that changes nothing and returns the flags."""
# Variables that a session adds, such as the port of an SSH client, lie on the stack: their length moves the rest.
KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LC_", "LD_", "OMP_", "ORT_", "PYTHON", "ANDROID_")


def run_deterministically() -> None:
    """Execute this program again, once, without ASLR, with a fixed hash seed and without the session's variables.

    Where the system forbids any of it, as containers may, the rest is done, and counts vary.
    """
    if DONE in os.environ:
        return
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.personality(ctypes.c_ulong(libc.personality(ctypes.c_ulong(QUERY)) | ADDR_NO_RANDOMIZE))
        # The program as the kernel has it: `sys.executable` is none where a loader of a runtime pack was called.
        argv = Path("/proc/self/cmdline").read_bytes().split(b"\0")[:-1]
        environment = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
        if ISOLATED in argv:
            # It would hide the seed from Python: the same by parts, and without the variables it hides.
            argv[argv.index(ISOLATED) : argv.index(ISOLATED) + 1] = [b"-P", b"-s"]
            environment = {name: value for name, value in environment.items() if not name.startswith("PYTHON")}
        os.execve("/proc/self/exe", argv, {**environment, "PYTHONHASHSEED": "0", DONE: "1"})  # noqa: S606 what runs already
