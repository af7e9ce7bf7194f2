"""Guard of wall-clock measurements: an emulated device has no time of its own."""

from __future__ import annotations

from edgekit.devices.transport import Transport
from edgekit.errors import ProbeError


def check_real_time(device: Transport) -> None:
    """Raise ProbeError for an emulated device: what it counts are instructions."""
    if device.kind == "emulated":
        raise ProbeError(
            f"{device.url}: an emulated device has no time of its own",
            hint="probe a real device, or this machine: --device local://",
        )
