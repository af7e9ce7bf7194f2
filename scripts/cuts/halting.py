"""On the device: runs the runner until its n-th change to a file, says so on the console, and goes no further.

`python halting.py N MARK RUNNER ARGV…`; N = 0 runs it to its end and counts. Standard library only.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from typing import Any

CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate")
CONSOLE, COUNTED = "/dev/console", "changes to files:"


def main(last: int, mark: str, program: str) -> None:
    count, fsync, write = 0, os.fsync, os.O_WRONLY | os.O_RDWR | os.O_CREAT
    console = os.open(CONSOLE, os.O_WRONLY | os.O_NOCTTY)

    def change() -> None:
        nonlocal count
        count += 1
        if count == last:
            os.write(console, f"{mark}\n".encode())
            while True:
                signal.pause()

    def look(event: str, args: tuple[object, ...]) -> None:
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
        print(COUNTED, count, file=sys.stderr)


if __name__ == "__main__":
    asked, sys.argv = sys.argv, sys.argv[3:]
    main(int(asked[1]), asked[2], asked[3])
