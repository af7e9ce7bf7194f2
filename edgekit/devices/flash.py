"""Flash a bundle: into the A/B slot that is not served, as a trial, until it is committed or rolled back."""

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
from edgekit.devices.packs.equip import any_python, bytecode, equip
from edgekit.devices.protocol import Flashed, Moved, SelfTest, Status, Trusted
from edgekit.devices.runner_client import QUICK_S, Runner, refusal
from edgekit.devices.runner_install import install_runner
from edgekit.devices.send import SELFTEST_S, LeasedTransfer
from edgekit.devices.survey import survey
from edgekit.devices.tensorrt import has_plan, note
from edgekit.devices.transport import Transport
from edgekit.errors import DeviceError, SelfTestFailed
from edgekit.runner.layout import MANIFEST
from edgekit.runner.model.accelerator import Accelerator
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
    """True if it is served, False if it is on trial."""
    changed: bool = True
    """False if the device had it already, in the requested state."""
    pinned: tuple[str, ...] = ()
    """Ids of its signers if they were pinned by this flash: trust on first use (TOFU)."""
    clock: str | None = None
    """Time of the device's clock if that is wrong, so that the device could not check the expiry; else None."""
    note: str | None = None
    """Remark that the model does not run on the provider that it was built for, with the reason; else None."""
    accelerator: Accelerator | None = None
    """Accelerator that measurements of it ask for; None for what it runs on by itself."""
    choice: str | None = None
    """Sentence on the accelerator that the device chose, and why; None where there was nothing to choose from."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences about it that a person must read."""
        signers = " ".join(self.pinned)
        trusts = f"it trusted nobody yet: from now on it takes what {signers} signed, alone"
        wrong = f"its clock, at {self.clock}, cannot be right: only this machine told that the bundle has not expired"
        return tuple(filter(None, (trusts if signers else None, wrong if self.clock else None, self.note, self.choice)))

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
    """Flash the bundle: once its self-test has passed on the device, it is on trial there, or served if `serve`.

    runtime: see `equip`. deadline_s: seconds after which the device drops a trial by itself. What is served stays as
    it is until then. Only files that the device lacks are sent, and no runtime that `equip` finds there.
    Raises what `equip` does; Incompatible or TooSmall before anything is sent; Expired; SignatureError, UntrustedKey,
    Incompatible or VersionTooOld if the device refuses it; DeviceBusy, StorageError, Unreachable, CommandFailed, or
    SelfTestFailed: it is dropped then.
    """
    manifest = bundle.manifest
    facts = survey(device)
    check_fit(manifest, device, facts)
    needs, accelerated = content_bytes(manifest), has_plan(manifest)
    interpreter = equip(device, manifest.format, manifest.versions, runtime, needs, accelerated, facts.packs)
    runner = install_runner(device, interpreter, facts.has_runner, bytecode(interpreter))
    if not facts.has(bundle.read(MANIFEST)):
        check_expiry(manifest.expires)
    with lease(runner, bundle.digest) as token:
        flashed = LeasedTransfer(bundle, runner, token, deadline_s, serve).send(facts)
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
    """Serve the trial from now on. Raises DeviceBusy if another edgekit has replaced it, or flashes."""
    _ask_slots(installation.runner, "commit", installation.digest)


def rollback(installation: Installation, detail: Mapping[str, Any] | None = None) -> None:
    """Drop the trial, or go back to the slot that was committed before.

    It is decided elsewhere: `pipeline/commit_or_rollback` after a probe, `pipeline/rollback` by a person. The device
    does it in `runner/slots/lifecycle.rollback`.

    detail: the incident, as JSON of at most 4 KB, for the device's history.

    Raises DeviceBusy as `commit` does, CommandFailed if it is served and there is nothing to go back to,
    VersionTooOld if that is below the floor.
    """
    options = ["--detail", json.dumps(detail)] if detail else []
    _ask_slots(installation.runner, "rollback", installation.digest, *options)


def status(device: Transport) -> Status:
    """Read the slots of a device and its history. Raises DeviceError if edgekit was never there."""
    return _status(any_runner(device))


def trust(
    device: Transport,
    pin: Iterable[PublicKey] = (),
    revoke: Iterable[str] = (),
    threshold: int | None = None,
    target: str | None = None,
    floor: int | None = None,
    lower_floor: bool = False,
) -> Trusted:
    """Change the keys that a device trusts, and which bundles it takes; None and empty leave a field as it is.

    pin: keys to trust. revoke: ids of keys never to trust again. threshold: count of signers that a bundle needs.
    target: the only target, or family, whose bundles are taken. floor: lowest version that is taken (anti-rollback).
    Returns the trust from then on. Raises CommandFailed if no bundle could ever be taken, or the floor would fall
    without `lower_floor`; DeviceBusy; DeviceError if the device has no Python.
    """
    values = {"--threshold": threshold, "--target": target, "--floor": floor}
    options = [f"--pin={key.raw.hex()}" for key in pin] + [f"--revoke={name}" for name in revoke]
    options += [f"{option}={value}" for option, value in values.items() if value is not None]
    options += ["--lower-floor"] if lower_floor else []
    return any_runner(device).ask(Trusted, "slots", "trust", device.root, *options, timeout=QUICK_S)


def serving(device: Transport) -> Installation:
    """Find the bundle that the device serves, to be run by any Python there. Raises DeviceError if there is none."""
    runner = any_runner(device)
    slots_status = _status(runner)
    if slots_status.current is None:
        raise _nothing(device)
    slot = slots_status.slots[slots_status.current]
    return Installation(runner, PurePosixPath(slot.path), slot.digest or "", committed=True)


def manifest_of(installation: Installation) -> Manifest:
    """Fetch and parse the manifest of the installed bundle."""
    with TemporaryDirectory() as name:
        local = Path(name) / MANIFEST
        installation.transport.pull(installation.slot / MANIFEST, local)
        return Manifest.parse(local.read_bytes())


def ready(installation: Installation, manifest: Manifest, runtime: str = "auto") -> Installation:
    """Equip the device with the runtime that the model needs, and return the installation with it.

    Raises what `equip` does.
    """
    accelerated = has_plan(manifest)
    interpreter = equip(installation.transport, manifest.format, manifest.versions, runtime, accelerated=accelerated)
    return replace(installation, runner=replace(installation.runner, interpreter=interpreter))


def self_test(installation: Installation) -> None:
    """Run the self-test of the installed model. Raises SelfTestFailed if it does not reproduce its golden outputs."""
    argv = ("selftest", installation.slot)
    _check(
        installation.transport.url, installation.runner.ask(SelfTest, *argv, timeout=SELFTEST_S, failure=SelfTestFailed)
    )


def any_runner(device: Transport) -> Runner:
    """Runner of a device by any Python there, for verbs that load no model. Raises DeviceError without one."""
    interpreter = any_python(device)
    if interpreter is None:
        raise _nothing(device)
    return install_runner(device, interpreter)


def _nothing(device: Transport) -> DeviceError:
    return DeviceError(f"{device.url}: nothing is installed", hint=f"edgekit flash BUNDLE --device {device.url}")


def _check_self_test(url: str, flashed: Flashed) -> None:
    """Raise the error of a flash whose self-test failed or could not run; the device has dropped the bundle by then."""
    if flashed.failure:
        raise refusal(url, flashed.failure.model_dump(), SelfTestFailed, ("slots", "install"))
    if flashed.selftest:
        _check(url, flashed.selftest)


def _check(url: str, result: SelfTest) -> None:
    """Raise SelfTestFailed, with the first output that is wrong, if the self-test did not pass."""
    if result.passed:
        return
    wrong = [
        name
        for name, difference in result.outputs.items()
        if difference.worst is None or difference.worst > difference.allowed
    ]
    difference = result.outputs[wrong[0]]
    worst = (
        "is not finite"
        if difference.worst is None
        else f"differs by {difference.worst:.4g}, {difference.allowed:.4g} is allowed"
    )
    raise SelfTestFailed(
        f"{url}: output '{wrong[0]}' {worst}",
        hint="the device's runtime may be of another version than the build's: edgekit inspect BUNDLE",
    )


def _status(runner: Runner) -> Status:
    answer = runner.ask(Status, "slots", "status", runner.transport.root, timeout=QUICK_S)
    return answer.told_apart()


def _ask_slots(runner: Runner, verb: str, *rest: object) -> Moved:
    return runner.ask(Moved, "slots", verb, runner.transport.root, *rest, timeout=QUICK_S)
