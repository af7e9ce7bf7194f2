"""Roll back by hand (`edgekit rollback`): drop the trial, or serve the other A/B slot, which was committed before.

The rollback after a probe is in `commit_or_rollback`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from edgekit.devices.flash import Installation, manifest_of, ready, rollback, self_test, status
from edgekit.devices.packs.equip import any_python
from edgekit.devices.protocol import BY_HAND, Info, Slot, Status
from edgekit.devices.runner_install import put_runner
from edgekit.devices.transport import Transport
from edgekit.errors import CommandFailed, DeviceError, StateGarbled
from edgekit.pipeline.flash import check_runtime, runtime_for


@dataclass(frozen=True)
class RollbackResult:
    """The slot that was rolled back, as it was, and the slot that is served from now on, if any."""

    slot: Slot
    served: Slot | None


def roll_back(
    device: Transport,
    runtime: str | None = None,
    untested: bool = False,
    incident: Mapping[str, Any] = BY_HAND,
    digest: str | None = None,
) -> RollbackResult:
    """Drop the trial; without one, serve the other slot, which was committed before, once it has passed its self-test.

    runtime: runs that self-test; by default one that is on the device. untested: go back without the self-test.
    incident: the reason, for the history. digest: bundle that is meant; another one is not rolled back.
    Raises DeviceError if nothing is installed, CommandFailed if there is nothing to go back to, DeviceBusy,
    StateGarbled; SlotDamaged, UntrustedKey, VersionTooOld (anti-rollback) or Incompatible if the other slot may not be
    served; SelfTestFailed, and what `equip` does. After an error the device serves what it served before.
    """
    before = status(device)
    leaving = _latest(before)
    interpreter = any_python(device)
    for damage in before.damage:
        if damage.kind == "garbled":
            raise StateGarbled(f"{device.url}: {damage.why}", hint=f"edgekit device repair {device.url}")
    if leaving is None or interpreter is None:
        raise DeviceError(f"{device.url}: nothing is installed", hint="edgekit device ping NAME says what is there")
    if digest is not None and leaving.digest != digest:
        raise CommandFailed(f"{device.url}: it is at another bundle by now, which is left as it is")
    runner, info = put_runner(device, interpreter)
    back = _behind(before, leaving)
    if back and not untested:
        _try(Installation(runner, PurePosixPath(back.path), back.digest or "", committed=True), info, runtime)
    rollback(Installation(runner, PurePosixPath(leaving.path), leaving.digest or "", committed=False), incident)
    after = status(device)
    return RollbackResult(leaving, after.slots[after.current] if after.current else None)


def _latest(state: Status) -> Slot | None:
    """The slot on trial, or about to be; else the one that is served."""
    on_trial = (slot for slot in state.slots.values() if slot.state in ("staged", "trial"))
    return next(on_trial, state.slots[state.current] if state.current else None)


def _behind(state: Status, leaving: Slot) -> Slot | None:
    """The slot to go back to, if the device will not refuse that anyway."""
    if leaving.state != "committed":
        return None
    refused = {slot.slot for slot in state.trust.refused}
    behind = (slot for name, slot in state.slots.items() if name not in {state.current, *refused})
    return next((slot for slot in behind if slot.state == "committed" and slot.whole), None)


def _try(installation: Installation, info: Info, runtime: str | None) -> None:
    """Run the self-test of the slot to serve again, by a runtime of the device, or by one that is sent to it."""
    manifest = manifest_of(installation)
    check_runtime(runtime, manifest.format)
    if runtime or not info.runtimes.get(manifest.format):
        installation = ready(installation, manifest, runtime_for(manifest, installation.transport, runtime))
    self_test(installation)
