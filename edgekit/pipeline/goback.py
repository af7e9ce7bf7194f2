"""go_back(): a device leaves what it was flashed last."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from edgekit.devices.answers import Slot, Status
from edgekit.devices.flash import Installation, rollback, status
from edgekit.devices.onboard import put_runner
from edgekit.devices.packs.equip import any_python
from edgekit.devices.transport import Transport
from edgekit.errors import DeviceError


@dataclass(frozen=True)
class Left:
    """The slot that was left, as it was, and what is served from now on, if anything."""

    slot: Slot
    served: Slot | None


def go_back(device: Transport) -> Left:
    """Drop what is on trial; without a trial, serve what was committed before.

    Raises DeviceError if nothing is installed, CommandFailed if there is nothing to go back to, DeviceBusy.
    """
    before = status(device)
    leaving = _latest(before)
    interpreter = any_python(device)
    if leaving is None or interpreter is None:
        raise DeviceError(f"{device.url}: nothing is installed", hint="edgekit device ping NAME says what is there")
    runner, _ = put_runner(device, interpreter)
    rollback(Installation(runner, PurePosixPath(leaving.path), leaving.digest or "", committed=False))
    after = status(device)
    return Left(leaving, after.slots[after.current] if after.current else None)


def _latest(found: Status) -> Slot | None:
    """The slot on trial, or about to be; else the one that is served."""
    on_trial = (slot for slot in found.slots.values() if slot.state not in ("empty", "committed", "failed"))
    return next(on_trial, found.slots[found.current] if found.current else None)
