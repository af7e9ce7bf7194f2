"""A bundle onto a device: into the slot that is not served, as a trial, until it is committed or dropped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgekit.bundle.manifest import Manifest
from edgekit.devices.compatibility import check_fit, content_bytes
from edgekit.devices.lease import lease
from edgekit.devices.packs.equip import any_python, equip
from edgekit.devices.protocol import Flashed, Moved, SelfTest, Status, Trusted
from edgekit.devices.runner_client import QUICK_S, Runner, install_runner, refusal
from edgekit.devices.send import SELFTEST_S, LeasedTransfer
from edgekit.devices.survey import survey
from edgekit.devices.tensorrt import has_plan, note
from edgekit.devices.transport import Transport
from edgekit.errors import DeviceError, SelfTestFailed
from edgekit.runner.layout import MANIFEST
from edgekit.runner.slots.lifecycle import TRIAL_S
from edgekit.specs.release import check_expiry

if TYPE_CHECKING:
    from edgekit.bundle.archive import Bundle
    from edgekit.bundle.signing import PublicKey


@dataclass(frozen=True)
class Installation:
    """A bundle in a slot of a device."""

    runner: Runner
    slot: PurePosixPath
    digest: str
    """SHA-256 of its manifest."""
    committed: bool
    """Whether it is served; else it is a trial."""
    changed: bool = True
    """False if it was there already, and as it was to be."""
    pinned: tuple[str, ...] = ()
    """Ids of its signers, if the device trusted nobody before: from now on it trusts them."""
    clock: str | None = None
    """Time of the device's clock, which could not tell whether the bundle has expired: it cannot be right."""
    note: str | None = None
    """That the model does not run on what it was built for, and why."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person must be told of it, in sentences."""
        signers = " ".join(self.pinned)
        trusts = f"it trusted nobody yet: from now on it takes what {signers} signed, alone"
        wrong = f"its clock, at {self.clock}, cannot be right: only this machine told that the bundle has not expired"
        return tuple(filter(None, (trusts if signers else None, wrong if self.clock else None, self.note)))

    @property
    def transport(self) -> Transport:
        return self.runner.transport

    @property
    def root(self) -> PurePosixPath:
        return self.transport.root


def flash(
    bundle: Bundle,
    device: Transport,
    runtime: str = "auto",
    deadline_s: float = TRIAL_S,
    serve: bool = False,
) -> Installation:
    """Put the bundle on the device as a trial, once it has tested itself there, or `serve` it from then on.

    Until then what is served stays as it is. Only files that are not there already are sent, and no runtime that
    `equip` finds there. Raises what `equip` does; Incompatible or TooSmall before anything is sent; Expired;
    SignatureError, UntrustedKey, Incompatible or VersionTooOld if the device refuses it; DeviceBusy, StorageError,
    Unreachable, CommandFailed, or SelfTestFailed: it is dropped then.
    """
    manifest = bundle.manifest
    there = survey(device)
    check_fit(manifest, device, there)
    needs, accelerated = content_bytes(manifest), has_plan(manifest)
    interpreter = equip(device, manifest.format, manifest.versions, runtime, needs, accelerated, there.packs)
    runner = install_runner(device, interpreter, there.has_runner)
    if not there.has(bundle.read(MANIFEST)):
        check_expiry(manifest.expires)
    with lease(runner, bundle.digest) as token:
        flashed = LeasedTransfer(bundle, runner, token, deadline_s, serve).send(there)
    _check_self_test(device.url, flashed)
    return Installation(
        runner,
        PurePosixPath(flashed.slot or ""),
        bundle.digest,
        committed=flashed.state == "committed",
        changed=flashed.changed,
        pinned=flashed.pinned,
        clock=flashed.clock,
        note=note(flashed.engine, flashed.selftest),
    )


def commit(installation: Installation) -> None:
    """Serve it from now on. Raises DeviceBusy if another edgekit has put another bundle in its place, or flashes."""
    _ask_slots(installation.runner, "commit", installation.digest)


def rollback(installation: Installation, detail: Mapping[str, Any] | None = None) -> None:
    """Drop the trial, or go back to the slot that was committed before; `detail`, the incident, is kept there.

    Raises DeviceBusy as `commit` does, CommandFailed if it is served and there is nothing to go back to,
    VersionTooOld if that is below the floor.
    """
    said = ["--detail", json.dumps(detail)] if detail else []
    _ask_slots(installation.runner, "rollback", installation.digest, *said)


def status(device: Transport) -> Status:
    """The slots of a device and its history. Raises DeviceError if edgekit was never there."""
    return _status(_any_runner(device))


def trust(
    device: Transport,
    pin: Iterable[PublicKey] = (),
    revoke: Iterable[str] = (),
    threshold: int | None = None,
    target: str | None = None,
    floor: int | None = None,
    lower_floor: bool = False,
) -> Trusted:
    """Say whose bundles a device takes, and which; what is not named stays. Whom it trusts then.

    Raises CommandFailed if no bundle could ever be taken, or the floor would fall without `lower_floor`; DeviceBusy;
    DeviceError if it has no Python.
    """
    given = {"--threshold": threshold, "--target": target, "--floor": floor}
    said = [f"--pin={key.raw.hex()}" for key in pin] + [f"--revoke={name}" for name in revoke]
    said += [f"{option}={value}" for option, value in given.items() if value is not None]
    said += ["--lower-floor"] if lower_floor else []
    return _any_runner(device).ask(Trusted, "slots", "trust", device.root, *said, timeout=QUICK_S)


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
    with TemporaryDirectory() as name:
        local = Path(name) / MANIFEST
        installation.transport.pull(installation.slot / MANIFEST, local)
        return Manifest.parse(local.read_bytes())


def ready(installation: Installation, manifest: Manifest, runtime: str = "auto") -> Installation:
    """The same installation, with the runtime that its model needs. Raises what `equip` does."""
    accelerated = has_plan(manifest)
    interpreter = equip(installation.transport, manifest.format, manifest.versions, runtime, accelerated=accelerated)
    return replace(installation, runner=replace(installation.runner, interpreter=interpreter))


def self_test(installation: Installation) -> None:
    """Have the model there compute its golden inputs. Raises SelfTestFailed if they come out otherwise."""
    argv = ("selftest", installation.slot)
    _check(
        installation.transport.url, installation.runner.ask(SelfTest, *argv, timeout=SELFTEST_S, failure=SelfTestFailed)
    )


def _any_runner(device: Transport) -> Runner:
    interpreter = any_python(device)
    if interpreter is None:
        raise _nothing(device)
    return install_runner(device, interpreter)


def _nothing(device: Transport) -> DeviceError:
    return DeviceError(f"{device.url}: nothing is installed", hint=f"edgekit flash BUNDLE --device {device.url}")


def _check_self_test(url: str, flashed: Flashed) -> None:
    """Raise SelfTestFailed, or what else kept the model from testing itself; what failed is dropped by then."""
    if flashed.failure:
        raise refusal(url, flashed.failure.model_dump(), SelfTestFailed, ("slots", "install"))
    if flashed.selftest:
        _check(url, flashed.selftest)


def _check(url: str, result: SelfTest) -> None:
    """Raise SelfTestFailed, with the first output that is wrong."""
    if result.passed:
        return
    wrong = [name for name, found in result.outputs.items() if found.worst is None or found.worst > found.allowed]
    found = result.outputs[wrong[0]]
    worst = "is not finite" if found.worst is None else f"differs by {found.worst:.4g}, {found.allowed:.4g} is allowed"
    raise SelfTestFailed(
        f"{url}: output '{wrong[0]}' {worst}",
        hint="the device's runtime may be of another version than the build's: edgekit inspect BUNDLE",
    )


def _status(runner: Runner) -> Status:
    return runner.ask(Status, "slots", "status", runner.transport.root, timeout=QUICK_S)


def _ask_slots(runner: Runner, verb: str, *rest: object) -> Moved:
    return runner.ask(Moved, "slots", verb, runner.transport.root, *rest, timeout=QUICK_S)
