"""Program for the device: runs the runner until its n-th change to a file, says so on the console, and halts.

`python halting.py N MARK RUNNER ARGV…`; N = 0 runs it to its end. At its end it says how many changes there were and
how many seconds it took, in all and when each step began, as JSON. Standard library only.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import time
from pathlib import Path
from typing import Any

CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate")
CONSOLE, COUNTED = "/dev/console", "changes to files:"
STEP, END = "edgekit.step", "end"


def main(last: int, mark: str, program: str) -> None:
    count, fsync, write = 0, os.fsync, os.O_WRONLY | os.O_RDWR | os.O_CREAT
    began = _began()
    steps: dict[str, tuple[int, float]] = {}
    console = os.open(CONSOLE, os.O_WRONLY | os.O_NOCTTY)

    def change() -> None:
        nonlocal count
        count += 1
        if count == last:
            os.write(console, f"{mark}\n".encode())
            while True:
                signal.pause()

    def reach(step: str) -> None:
        steps[step] = count, time.clock_gettime(time.CLOCK_BOOTTIME) - began

    def look(event: str, args: tuple[Any, ...]) -> None:
        if event == STEP:
            reach(args[0])
        if event in CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & write):
            change()

    def flushed(fd: Any) -> None:
        change()
        fsync(fd)
        change()

    os.fsync = flushed
    sys.addaudithook(look)
    try:
        runpy.run_path(program, run_name="__main__")
    finally:
        reach(END)
        print(COUNTED, json.dumps(steps), file=sys.stderr)


def _began() -> float:
    """Seconds from the boot to the start of this process (proc(5), `starttime`)."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    argv, sys.argv = sys.argv, sys.argv[3:]
    main(int(argv[1]), argv[2], argv[3])
