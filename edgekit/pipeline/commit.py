"""Commit by hand (`edgekit commit`): serve what is on trial, which `--no-commit` left there."""

from __future__ import annotations

from pathlib import PurePosixPath

from edgekit.devices.flash import Installation, commit, status
from edgekit.devices.packs.equip import any_python
from edgekit.devices.protocol import Slot
from edgekit.devices.runner_install import put_runner
from edgekit.devices.transport import Transport
from edgekit.errors import CommandFailed, DeviceError, StateGarbled


def commit_trial(device: Transport) -> Slot:
    """Serve the trial from now on; return its slot as it was.

    Raises DeviceError if nothing is installed, CommandFailed if nothing is on trial, DeviceBusy, StateGarbled;
    SlotDamaged, UntrustedKey or VersionTooOld (anti-rollback) if it may not be served. After an error the device serves
    what it served before.
    """
    before = status(device)
    interpreter = any_python(device)
    for damage in before.damage:
        if damage.kind == "garbled":
            raise StateGarbled(f"{device.url}: {damage.why}", hint=f"edgekit device repair {device.url}")
    if interpreter is None:
        raise DeviceError(f"{device.url}: nothing is installed", hint="edgekit device ping NAME says what is there")
    trial = next((slot for slot in before.slots.values() if slot.state == "trial"), None)
    if trial is None:
        hint = f"edgekit flash BUNDLE --no-commit --device {device.url}"
        raise CommandFailed(f"{device.url}: nothing is on trial", hint=hint)
    runner, _ = put_runner(device, interpreter)
    commit(Installation(runner, PurePosixPath(trial.path), trial.digest or "", committed=False))
    return trial
