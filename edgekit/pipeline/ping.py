"""ping(): check that a device answers, and ask what it is. Nothing on it changes but the runner, which stays."""

from __future__ import annotations

import time
from dataclasses import dataclass

from edgekit.devices.device import connect
from edgekit.devices.flash import status
from edgekit.devices.packs.equip import any_python
from edgekit.devices.protocol import Info, Slot
from edgekit.devices.runner_client import QUICK_S
from edgekit.devices.runner_install import put_runner
from edgekit.devices.transport import Transport


@dataclass(frozen=True)
class Pong:
    """Answer of a device: what it is, and the slot that it serves."""

    url: str
    seconds: float
    """Seconds until it was connected and had run one command."""
    info: Info | None
    """Facts of the device; None where it has no Python, ours or its own."""
    served: Slot | None


def ping(device: str) -> Pong:
    """Ask a device, by URL or name, what it is. Raises what `connect` does, and DeviceError for a device that fails."""
    began = time.monotonic()
    with connect(device) as transport:
        # Without that file nothing was ever flashed, and asking for slots would make a folder.
        flashed = transport.run(["test", "-e", str(transport.root / "lock")], timeout=QUICK_S).returncode == 0
        seconds = time.monotonic() - began
        interpreter = any_python(transport)
        if interpreter is None:
            return Pong(transport.url, seconds, None, None)
        _, info = put_runner(transport, interpreter)
        return Pong(transport.url, seconds, info, _served(transport) if flashed else None)


def _served(transport: Transport) -> Slot | None:
    state = status(transport)
    return state.slots[state.current] if state.current else None
