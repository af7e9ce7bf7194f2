"""Guard process of one emulator and its folder: `python guard.py FOLDER ARGV…`.

The process that started it holds its standard input open and may write a line: `keep` makes the device outlive that
process, `cut` kills the emulator at once and leaves the folder. When the input ends, or on SIGTERM, emulator and folder
are removed. The folder of an emulator that ended by itself, or whose guard was killed, is removed at the start of the
next device. The lock that marks the folder as in use is a descriptor that the guard inherits. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h; as `runner/machine/parent_death`, which this file alone cannot import
LOOK_S = 0.2


class _EndedError(Exception):
    """SIGTERM was received."""


def main(folder: str, argv: list[str]) -> int:
    signal.signal(signal.SIGTERM, _end)
    for other in (signal.SIGINT, signal.SIGHUP):  # of the terminal that the maker was started from
        signal.signal(other, signal.SIG_IGN)
    inherited = [int(number) for number in os.environ.pop("EDGEKIT_GUARDED", "").split()]
    with (Path(folder) / "emulator.log").open("wb") as log:
        emulator = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=inherited, preexec_fn=_die_with_guard
        )
    for number in inherited:
        os.close(number)
    leave_folder = False
    try:
        leave_folder = _watch(emulator)
    except _EndedError:
        pass
    finally:
        emulator.kill()
        emulator.wait()
    if not leave_folder:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _watch(emulator: subprocess.Popen[bytes]) -> bool:
    """Wait for the end of the emulator, or for an order to end it; True if the folder must stay."""
    outlives = False
    while emulator.poll() is None:
        if outlives:
            try:
                emulator.wait(LOOK_S)
            except subprocess.TimeoutExpired:
                continue
        elif select.select([0], [], [], LOOK_S)[0]:
            word = os.read(0, 64).strip()
            if word == b"cut":
                return True
            if word != b"keep":
                return False
            outlives = True
    return True  # it ended by itself: its log is to be read, and the folder then swept


def _end(number: int, frame: object) -> None:
    raise _EndedError


def _die_with_guard() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
