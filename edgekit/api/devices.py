"""Devices: flash a bundle into an A/B slot, on one or a fleet, go back, ask for the state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgekit.api.accelerators import Accelerated, choice_of
from edgekit.devices.device import Destination, connect, destinations, way_to
from edgekit.devices.flash import status as device_status
from edgekit.devices.inventory import Book, DeviceEntry
from edgekit.errors import OptionError
from edgekit.specs.catalog import Catalog
from edgekit.specs.spec import parse

if TYPE_CHECKING:
    from edgekit.bundle.archive import Bundle
    from edgekit.devices.flash import Installation
    from edgekit.devices.protocol import Slot, Status
    from edgekit.pipeline.fleet import Rolled, Rollout, Tell
    from edgekit.pipeline.rollback import RollbackResult

# The pipeline is imported by the functions that need it: `edgekit status` starts in half the time.


def flash(
    bundle: Bundle,
    device: str,
    *,
    runtime: str | None = None,
    accelerator: Accelerated = "auto",
    commit: bool = True,
) -> Installation:
    """Put a bundle on a device, which serves it once its self-test there has passed.

    Args:
        bundle: from `open_bundle` or `build`.
        device: a name or URL, as `run` takes it.
        runtime, accelerator: as `run` takes them.
        commit: False leaves it on trial; the device drops it by itself after two hours.

    Raises:
        Incompatible, TooSmall: it is for another board, or does not fit; nothing was sent.
        SelfTestFailed: it computes something else there than where it was built; it was dropped.
        DeviceBusy, Unreachable, UntrustedKey, VersionTooOld, ...: what was served is served still.

    >>> flash(bundle, device).committed
    True
    """
    from edgekit.pipeline.flash import deploy
    from edgekit.pipeline.fleet import check_target

    [destination] = destinations([device])
    check_target(bundle.manifest, destination)
    return deploy(bundle, destination.url, runtime, not commit, choice_of(accelerator))


def flash_fleet(
    bundle: Bundle,
    fleet: Sequence[Destination],
    rollout: Rollout,
    tell: Tell,
    *,
    runtime: str | None = None,
    accelerator: Accelerated = "auto",
    commit: bool = True,
) -> Rolled:
    """Put a bundle on several devices in a staged rollout: canaries first, then wave by wave.

    Args:
        bundle, runtime, accelerator, commit: as `flash` takes them.
        fleet: from `destinations`, each device once.
        rollout: number of canaries, size of a wave, and devices at the same time.
        tell: called with the outcome of each device as it ends.

    Returns:
        The outcome of each device. A device that failed is such an outcome, no error; no wave is begun after it.

    Raises:
        UnknownName, OptionError: no runtime is named `runtime`, or the bundle does not run on it; nothing was sent.
        KeyboardInterrupt: Ctrl-C came a second time; after the first, devices that are being flashed are finished.
    """
    from edgekit.pipeline.fleet import Cargo, roll_out

    return roll_out(Cargo(bundle, runtime, not commit, choice_of(accelerator)), fleet, rollout, tell)


def rollback(device: str, *, runtime: str | None = None, untested: bool = False) -> RollbackResult:
    """Drop what is on trial; without a trial, serve what was committed before, once it has tested itself.

    Args:
        device: a name or URL, as `run` takes it.
        runtime: what runs the self-test; by default one that is there.
        untested: go back without it.

    Returns:
        The slot that was left, and the one that is served now, if any.

    Raises:
        CommandFailed: there is nothing to go back to.
        SlotDamaged, UntrustedKey, VersionTooOld, SelfTestFailed: that may not be served; what is served stays.

    >>> rollback(device).served is None  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    CommandFailed: there is nothing to go back to
    """
    from edgekit.pipeline.rollback import roll_back

    with connect(device) as transport:
        return roll_back(transport, runtime, untested)


def commit(device: str) -> Slot:
    """Serve what is on trial from now on: what a flash or a run left there without a commit.

    Args:
        device: a name or URL, as `run` takes it.

    Returns:
        The slot that was on trial.

    Raises:
        CommandFailed: nothing is on trial.
        SlotDamaged, UntrustedKey, VersionTooOld: it may not be served; what is served stays.

    >>> commit(device)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    CommandFailed: nothing is on trial
    """
    from edgekit.pipeline.commit import commit_trial

    with connect(device) as transport:
        return commit_trial(transport)


def status(device: str) -> Status:
    """Say what a device serves, what is in both A/B slots and whether it is whole, its history, and whom it trusts.

    Args:
        device: a name or URL, as `run` takes it.

    Raises:
        DeviceError: edgekit was never there. Unreachable: it does not answer.

    >>> status(device).slots["a"].whole
    True
    """
    with connect(device) as transport:
        return device_status(transport)


def add_device(
    name: str, url: str, target: str | None = None, groups: Sequence[str] = (), *, check: bool = False
) -> DeviceEntry:
    """Add a device to the user's inventory: the name stands for the URL from then on.

    Args:
        name: letters, digits, dashes and underscores.
        url: as `run` takes it.
        target: id of a target or a family; bundles for any other are not sent there.
        groups: names of the groups that it is in; one that is there twice counts once.
        check: add it only if it answers.

    Raises:
        OptionError: `url` is no URL. UnknownName: its scheme or the target is not known.
        SpecError: a name is not allowed, or devices.toml is wrong. DeviceError: it does not answer.
    """
    if "://" not in url:
        raise OptionError(f"'{url}' is no URL", hint=f"edgekit device add {name} ssh://{url}")
    way_to(url)
    if target:
        _check_target(target)
    values = {"url": url, "target": target, "groups": tuple(dict.fromkeys(groups))}
    entry = parse(DeviceEntry, values, f"device '{name}'")
    if check:
        from edgekit.pipeline.ping import ping

        ping(url)
    Book.of_user().add(name, entry)
    return entry


def _check_target(target: str) -> None:
    """Raise UnknownName, with the nearest name, if it is neither a target nor a family."""
    catalog = Catalog.default()
    if target not in {known.family for known in catalog.targets()}:
        catalog.target(target)
