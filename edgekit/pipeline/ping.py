"""ping(): whether a device is there, and what it is. Nothing on it changes but that the runner is there afterwards."""

from __future__ import annotations

import time
from dataclasses import dataclass

from edgekit.devices.device import connect
from edgekit.devices.flash import status
from edgekit.devices.packs.equip import any_python
from edgekit.devices.protocol import Info, Slot
from edgekit.devices.runner_client import QUICK_S, put_runner
from edgekit.devices.transport import Transport


@dataclass(frozen=True)
class Pong:
    """What a device that answers says of itself."""

    url: str
    seconds: float
    """Until it was connected and had run one command."""
    info: Info | None
    """None where it has no Python, ours or its own."""
    served: Slot | None


def ping(device: str) -> Pong:
    """Ask a device, by URL or name, what it is. Raises what `connect` does, and DeviceError for a device that fails."""
    began = time.monotonic()
    with connect(device) as way:
        # Without that file nobody has asked for slots, and to ask would make a folder.
        flashed = way.run(["test", "-e", str(way.root / "lock")], timeout=QUICK_S).returncode == 0
        seconds = time.monotonic() - began
        interpreter = any_python(way)
        if interpreter is None:
            return Pong(way.url, seconds, None, None)
        _, info = put_runner(way, interpreter)
        return Pong(way.url, seconds, info, _served(way) if flashed else None)


def _served(way: Transport) -> Slot | None:
    found = status(way)
    return found.slots[found.current] if found.current else None
