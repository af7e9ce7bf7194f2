"""Cost of files that both slots have: a link to the file in the other slot, a copy of its bytes, or a clone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekit.devices.transport import Transport

LIMIT_S = 300.0
# On the device, by any Python there: milliseconds of each way, the median of nine in turns, flushed to the disk.
SCRIPT = """
import fcntl, json, os, shutil, statistics, sys, time
folder, count = sys.argv[1], int(sys.argv[2])
source, target = folder + "/copies.source", folder + "/copies.target"
os.makedirs(folder, exist_ok=True)
with open(source, "wb") as file:
    file.write(os.urandom(count)); file.flush(); os.fsync(file.fileno())
def copied(): shutil.copyfile(source, target)
def cloned():
    with open(source, "rb") as reader, open(target, "wb") as writer:
        fcntl.ioctl(writer.fileno(), 0x40049409, reader.fileno())
taken = {"link": [], "copy": [], "clone": []}
ways = {"link": lambda: os.link(source, target), "copy": copied, "clone": cloned}
for _ in range(9):
    for name, way in ways.items():
        began = time.perf_counter()
        try:
            way()
            handle = os.open(target, os.O_RDONLY); os.fsync(handle); os.close(handle)
        except OSError:
            continue
        finally:
            if os.path.exists(target): took = time.perf_counter() - began; os.unlink(target)
        taken[name].append(took * 1e3)
os.unlink(source)
print(json.dumps({name: statistics.median(times) for name, times in taken.items() if times}))
"""


def report(transport: Transport, count: int) -> None:
    """Print a line: a file of so many bytes, brought into the other slot in each way that the device's disk has."""
    from edgekit.devices.packs.equip import any_python

    interpreter = any_python(transport)
    assert interpreter is not None
    argv = [*interpreter, "-c", SCRIPT, str(transport.root), str(count)]
    times_ms = json.loads(transport.run(argv, timeout=LIMIT_S).stdout.splitlines()[-1])
    figures = ", ".join(f"{name} {ms:.1f} ms" for name, ms in times_ms.items())
    clone = "" if "clone" in times_ms else "; this file system cannot clone"
    print(f"{count / 1e6:g} MB that the other slot has, to the disk: {figures}{clone}")
