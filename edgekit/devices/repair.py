"""Repair a device that has lost the state of its slots: it is rebuilt from the slots themselves."""

from __future__ import annotations

from edgekit.devices.packs.equip import any_python
from edgekit.devices.protocol import Repaired
from edgekit.devices.runner_install import install_runner
from edgekit.devices.transport import Transport
from edgekit.errors import DeviceError

REPAIR_S = 300.0
"""Time limit in seconds: every file of both slots is read and its digest computed."""


def repair(device: Transport) -> Repaired:
    """Rebuild the state of a device from the slots that verify, and serve the best of them.

    What is served stays if it is whole; where all is in order nothing is changed. Raises TrustLost if no key is pinned
    there to verify with, DeviceBusy, DeviceError if the device has no Python.
    """
    interpreter = any_python(device)
    if interpreter is None:
        raise DeviceError(f"{device.url}: nothing is installed", hint=f"edgekit flash BUNDLE --device {device.url}")
    runner = install_runner(device, interpreter)
    return runner.ask(Repaired, "slots", "repair", device.root, timeout=REPAIR_S)
