"""A bundle onto a device: into the slot that is not served, as a trial, until it is committed or dropped."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from edgekit.bundle.manifest import MANIFEST, Manifest
from edgekit.devices.answers import Moved, SelfTest, Status
from edgekit.devices.engine import build_engine, note
from edgekit.devices.fit import check_fit, content_bytes
from edgekit.devices.onboard import QUICK_S, Runner, put_runner
from edgekit.devices.packs.equip import any_python, equip
from edgekit.devices.transport import Transport
from edgekit.errors import DeviceError, EdgekitError, SelfTestFailed

if TYPE_CHECKING:
    from edgekit.bundle.archive import Bundle

STAGE_S = 300.0
SELFTEST_S = 600.0


@dataclass(frozen=True)
class Installation:
    """A bundle in a slot of a device."""

    runner: Runner
    slot: PurePosixPath
    digest: str
    committed: bool
    """Whether it was served already when it was flashed; else it is a trial."""
    note: str | None = None
    """What a person must be told of it."""

    @property
    def transport(self) -> Transport:
        return self.runner.transport

    @property
    def root(self) -> PurePosixPath:
        return self.transport.root


def flash(bundle: Bundle, device: Transport, runtime: str = "auto") -> Installation:
    """Put the bundle on the device as a trial, and let it test itself there. What is served stays as it is.

    A bundle that is there already is not sent again, nor is the runtime that `equip` finds there. Raises what `equip`
    does; Incompatible or TooSmall before anything is sent; DeviceBusy, StorageError, Unreachable, CommandFailed, or
    SelfTestFailed: the trial is dropped then.
    """
    manifest = bundle.manifest
    check_fit(manifest, device)
    interpreter = equip(device, manifest.format, manifest.versions, runtime, content_bytes(manifest))
    runner, _ = put_runner(device, interpreter)
    installation = _stage(runner, bundle)
    try:
        engine = build_engine(runner, installation.slot, manifest)
        result = _self_test(installation)
    except BaseException:
        _drop(installation)
        raise
    return replace(installation, note=note(engine, result))


def commit(installation: Installation) -> None:
    """Serve it from now on. Raises DeviceBusy if another edgekit has put another bundle in its place."""
    _ask_slots(installation.runner, "commit", installation.digest)


def rollback(installation: Installation) -> None:
    """Drop the trial, or go back to the slot that was committed before.

    Raises DeviceBusy as `commit` does, CommandFailed if it is served and there is nothing to go back to.
    """
    _ask_slots(installation.runner, "rollback", installation.digest)


def status(device: Transport) -> Status:
    """The slots of a device and its history. Raises DeviceError if edgekit was never there."""
    return _status(_any_runner(device))


def serving(device: Transport) -> Installation:
    """What the device serves now, run by any Python there. Raises DeviceError if that is nothing."""
    runner = _any_runner(device)
    found = _status(runner)
    if found.current is None:
        raise _nothing(device)
    slot = found.slots[found.current]
    return Installation(runner, PurePosixPath(slot.path), slot.digest or "", committed=True)


def manifest_of(installation: Installation) -> Manifest:
    """What the installed bundle says of itself."""
    with tempfile.TemporaryDirectory() as name:
        local = Path(name) / MANIFEST
        installation.transport.pull(installation.slot / MANIFEST, local)
        return Manifest.parse(local.read_bytes())


def ready(installation: Installation, manifest: Manifest, runtime: str = "auto") -> Installation:
    """The same installation, with the runtime that its model needs. Raises what `equip` does."""
    interpreter = equip(installation.transport, manifest.format, manifest.versions, runtime)
    return replace(installation, runner=replace(installation.runner, interpreter=interpreter))


def _any_runner(device: Transport) -> Runner:
    interpreter = any_python(device)
    if interpreter is None:
        raise _nothing(device)
    return put_runner(device, interpreter)[0]


def _nothing(device: Transport) -> DeviceError:
    return DeviceError(f"{device.url}: nothing is installed", hint=f"edgekit flash BUNDLE --device {device.url}")


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


def _self_test(installation: Installation) -> SelfTest:
    result = installation.runner.ask(
        SelfTest, "selftest", installation.slot, timeout=SELFTEST_S, failure=SelfTestFailed
    )
    wrong = [name for name, found in result.outputs.items() if found.worst is None or found.worst > found.allowed]
    if result.passed:
        return result
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
