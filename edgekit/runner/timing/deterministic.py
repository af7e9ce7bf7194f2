"""The same process every time: what a system draws by lot moves instruction counts of small models by 0.1 %."""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

DONE = "EDGEKIT_STILL"
ISOLATED = b"-I"
"""How the Python of a runtime pack is started."""
ADDR_NO_RANDOMIZE = 0x0040000
"""Linux, include/uapi/linux/personality.h."""
ASK = 0xFFFFFFFF
# What a session adds, such as the port that SSH came from, lies on the stack: its length moves what comes after.
KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LC_", "LD_", "OMP_", "ORT_", "PYTHON", "ANDROID_")


def run_deterministically() -> None:
    """Start this program again, once, with its addresses in one place, one seed for hashes, and no session's variables.

    Where the system forbids any of it, as containers may, the rest is done, and counts vary by as much.
    """
    if DONE in os.environ:
        return
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.personality(ctypes.c_ulong(libc.personality(ctypes.c_ulong(ASK)) | ADDR_NO_RANDOMIZE))
        # The program as the kernel has it: `sys.executable` is none where a loader of a runtime pack was called.
        argv = Path("/proc/self/cmdline").read_bytes().split(b"\0")[:-1]
        kept = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
        if ISOLATED in argv:
            # It would hide the seed from Python: the same by parts, and without the variables it hides.
            argv[argv.index(ISOLATED) : argv.index(ISOLATED) + 1] = [b"-P", b"-s"]
            kept = {name: value for name, value in kept.items() if not name.startswith("PYTHON")}
        os.execve("/proc/self/exe", argv, {**kept, "PYTHONHASHSEED": "0", DONE: "1"})  # noqa: S606 what runs already
