"""A bundle onto a device: into the slot that is not served, as a trial, until it is committed or dropped."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from edgekit.devices.answers import Info, Moved, SelfTest, Status
from edgekit.devices.onboard import QUICK_S, Runner, put_runner
from edgekit.devices.transport import Transport
from edgekit.errors import DeviceError, EdgekitError, Incompatible, SelfTestFailed
from edgekit.runner.runtimes import DISTRIBUTIONS

if TYPE_CHECKING:
    from edgekit.bundle.archive import Bundle
    from edgekit.bundle.manifest import Manifest

STAGE_S = 300.0
SELFTEST_S = 600.0
ALIASES = {"arm64": "aarch64", "amd64": "x86_64"}


@dataclass(frozen=True)
class Installation:
    """A bundle in a slot of a device."""

    runner: Runner
    slot: PurePosixPath
    digest: str
    committed: bool
    """Whether it was served already when it was flashed; else it is a trial."""

    @property
    def transport(self) -> Transport:
        return self.runner.transport

    @property
    def root(self) -> PurePosixPath:
        return self.transport.root


def flash(bundle: Bundle, device: Transport) -> Installation:
    """Put the bundle on the device as a trial, and let it test itself there. What is served stays as it is.

    A bundle that is there already is not sent again. Raises Incompatible, DeviceBusy, StorageError, Unreachable,
    CommandFailed, or SelfTestFailed: the trial is dropped then.
    """
    runner, info = put_runner(device)
    _check_fit(bundle.manifest, info, device)
    installation = _stage(runner, bundle)
    try:
        _self_test(installation)
    except BaseException:
        _drop(installation)
        raise
    return installation


def commit(installation: Installation) -> None:
    """Serve it from now on. Raises DeviceBusy if another edgekit has put another bundle in its place."""
    _ask_slots(installation.runner, "commit", installation.digest)


def rollback(installation: Installation) -> None:
    """Drop the trial, or go back to the slot that was committed before.

    Raises DeviceBusy as `commit` does, CommandFailed if it is served and there is nothing to go back to.
    """
    _ask_slots(installation.runner, "rollback", installation.digest)


def status(device: Transport) -> Status:
    """The slots of a device and its history."""
    runner, _ = put_runner(device)
    return _status(runner)


def serving(device: Transport) -> Installation:
    """What the device serves now. Raises DeviceError if that is nothing."""
    runner, _ = put_runner(device)
    found = _status(runner)
    if found.current is None:
        raise DeviceError(f"{device.url}: nothing is installed", hint=f"edgekit flash BUNDLE --device {device.url}")
    slot = found.slots[found.current]
    return Installation(runner, PurePosixPath(slot.path), slot.digest or "", committed=True)


def _check_fit(manifest: Manifest, info: Info, device: Transport) -> None:
    machine = ALIASES.get(info.machine, info.machine)
    if manifest.arch != machine and device.kind != "local":
        raise Incompatible(
            f"the bundle is for {manifest.arch} ('{manifest.target}'), {device.url} is {machine}",
            hint="build for a target of that kind: edgekit targets",
        )
    if info.runtimes.get(manifest.format) is None:
        distribution, needs = next(iter(DISTRIBUTIONS[manifest.format].items()))
        raise Incompatible(
            f"{device.url}: nothing there runs .{manifest.format}",
            hint=f"on the device: pip install {' '.join((distribution, *needs))}",
        )


def _stage(runner: Runner, bundle: Bundle) -> Installation:
    staging = runner.transport.root / "staging" / bundle.digest
    try:
        if not _is_there(runner, bundle.digest):
            _push(bundle, runner.transport, staging)
        moved = _ask_slots(runner, "stage", staging, bundle.digest)
    except BaseException:
        with contextlib.suppress(EdgekitError):
            runner.remove(staging)
        raise
    return Installation(runner, PurePosixPath(moved.slot), bundle.digest, committed=moved.state == "committed")


def _is_there(runner: Runner, digest: str) -> bool:
    """Whether a slot has the bundle, whole, and it has not failed."""
    slots = _status(runner).slots.values()
    return any(slot.digest == digest and slot.whole and slot.state != "failed" for slot in slots)


def _push(bundle: Bundle, device: Transport, staging: PurePosixPath) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "bundle"
        bundle.extract(folder)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            device.push(path, staging / path.relative_to(folder).as_posix())


def _self_test(installation: Installation) -> None:
    result = installation.runner.ask(
        SelfTest, "selftest", installation.slot, timeout=SELFTEST_S, failure=SelfTestFailed
    )
    wrong = [name for name, found in result.outputs.items() if found.worst is None or found.worst > found.allowed]
    if result.passed:
        return
    found = result.outputs[wrong[0]]
    worst = "is not finite" if found.worst is None else f"differs by {found.worst:.4g}, {found.allowed:.4g} is allowed"
    raise SelfTestFailed(
        f"{installation.transport.url}: output '{wrong[0]}' {worst}",
        hint="the device's runtime may be of another version than the build's: edgekit inspect BUNDLE",
    )


def _drop(installation: Installation) -> None:
    """Drop the trial that did not pass. The reason it did not is the error to see, not what fails here."""
    if installation.committed:
        return
    with contextlib.suppress(EdgekitError):
        rollback(installation)


def _status(runner: Runner) -> Status:
    return runner.ask(Status, "slots", "status", runner.transport.root, timeout=QUICK_S)


def _ask_slots(runner: Runner, verb: str, *rest: object) -> Moved:
    return runner.ask(Moved, "slots", verb, runner.transport.root, *rest, timeout=STAGE_S)
