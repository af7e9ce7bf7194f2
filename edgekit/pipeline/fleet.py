"""Staged rollout of a bundle to a fleet: canaries first, then waves; a wave with a failure is the last."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from edgekit.bundle.archive import Bundle
from edgekit.bundle.manifest import Manifest
from edgekit.devices.device import Destination
from edgekit.devices.flash import Installation
from edgekit.errors import EdgekitError, Incompatible, OptionError
from edgekit.pipeline.flash import check_runtime, deploy
from edgekit.specs.accelerator import AUTO, AcceleratorChoice

State = Literal["committed", "committed before", "on trial", "failed", "not reached"]
DONE: tuple[State, ...] = ("committed", "committed before", "on trial")


@dataclass(frozen=True)
class Rollout:
    """Order in which the devices of a fleet are flashed. Raises OptionError for a wave that is neither N nor N%."""

    canary: int = 1
    """Number of canaries: devices that are flashed before all others."""
    wave: str = "25%"
    """Size of a wave: a number, or a share of the whole fleet."""
    jobs: int = 4
    """Number of devices that are flashed at the same time."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"0*(100|[1-9][0-9]?)%|0*[1-9][0-9]{0,8}", self.wave):
            raise OptionError(f"--wave '{self.wave}' is no size of a wave", hint="--wave 25%, or --wave 10")

    def waves(self, count: int) -> tuple[int, ...]:
        """Sizes of the waves of `count` devices, the canaries first."""
        share = int(self.wave.removesuffix("%"))
        size = math.ceil(count * share / 100) if self.wave.endswith("%") else share
        first = min(self.canary, count)
        rest = count - first
        sizes = [first] * bool(first) + [size] * (rest // size if rest else 0)
        return (*sizes, rest % size) if rest and rest % size else tuple(sizes)


@dataclass(frozen=True)
class DeviceOutcome:
    """Outcome of one device. A device that failed serves what it served before."""

    device: str
    wave: int
    """Number of the wave, from 0; wave 0 holds the canaries, if there are any."""
    state: State
    seconds: float = 0.0
    slot: PurePosixPath | None = None
    remarks: tuple[str, ...] = ()
    """Sentences of the flash that a person must read."""
    error: EdgekitError | None = None


@dataclass(frozen=True)
class Rolled:
    """Outcome of a whole fleet, in the order of the waves."""

    outcomes: tuple[DeviceOutcome, ...]
    interrupted: bool

    @property
    def exit_code(self) -> int:
        """0 if all were done, 3 if none was, else 1."""
        done = [outcome.state in DONE for outcome in self.outcomes]
        return 0 if all(done) else 1 if any(done) else 3


@dataclass(frozen=True)
class Cargo:
    """Bundle for each device of a fleet, and the options of its flash."""

    bundle: Bundle
    runtime: str | None = None
    keep_trial: bool = False
    accelerator: AcceleratorChoice = AUTO

    def put(self, device: Destination, wave: int) -> DeviceOutcome:
        """Flash one device. An error there is returned as its outcome, not raised."""
        began = time.monotonic()
        try:
            check_target(self.bundle.manifest, device)
            installed = deploy(self.bundle, device.url, self.runtime, self.keep_trial, self.accelerator)
        except EdgekitError as error:
            return DeviceOutcome(device.name, wave, "failed", time.monotonic() - began, error=error)
        state = state_of(installed)
        return DeviceOutcome(device.name, wave, state, time.monotonic() - began, installed.slot, installed.remarks)


Tell = Callable[[DeviceOutcome], None]


def roll_out(cargo: Cargo, devices: Sequence[Destination], rollout: Rollout, tell: Tell) -> Rolled:
    """Flash the devices wave by wave; `tell` is called with each outcome as it ends.

    After a wave with a failure no device is begun any more: committed bundles stay, the rest is `not reached`. On the
    first Ctrl-C, devices that are being flashed are finished and no other is begun; the second raises
    KeyboardInterrupt. Raises what `check_runtime` does, before any device is connected.
    """
    check_runtime(cargo.runtime, cargo.bundle.manifest.format)
    outcomes: list[DeviceOutcome] = []
    interrupted = False
    remaining = list(devices)
    sizes = rollout.waves(len(remaining))
    for number, size in enumerate(sizes):
        wave, remaining = remaining[:size], remaining[size:]
        if interrupted or any(outcome.state not in DONE for outcome in outcomes):
            outcomes += [DeviceOutcome(device.name, number, "not reached") for device in wave]
            continue
        ended, interrupted = _wave(cargo, wave, number, rollout.jobs, tell)
        outcomes += ended
    return Rolled(tuple(outcomes), interrupted)


def check_target(manifest: Manifest, device: Destination) -> None:
    """Raise Incompatible if the device is known to be another board than the bundle was built for."""
    if device.target not in (None, manifest.target, manifest.family):
        raise Incompatible(
            f"the bundle is for '{manifest.target}', '{device.name}' is '{device.target}'",
            hint=f"build for that board: edgekit build --target {device.target}",
        )


def state_of(installed: Installation) -> State:
    """State of a device after a flash."""
    if not installed.committed:
        return "on trial"
    return "committed" if installed.changed else "committed before"


def _wave(
    cargo: Cargo, devices: Sequence[Destination], number: int, jobs: int, tell: Tell
) -> tuple[list[DeviceOutcome], bool]:
    """Flash one wave: outcomes of its devices, and True if Ctrl-C cut it short."""
    reported: set[Future[DeviceOutcome]] = set()
    interrupted = False
    with ThreadPoolExecutor(jobs) as pool:
        begun = {pool.submit(cargo.put, device, number): device for device in devices}
        try:
            for future in as_completed(begun):
                reported.add(future)
                tell(future.result())
        except KeyboardInterrupt:
            interrupted = True
            pool.shutdown(wait=True, cancel_futures=True)
    outcomes = []
    for future, device in begun.items():
        if future.cancelled():
            outcomes.append(DeviceOutcome(device.name, number, "not reached"))
            continue
        outcomes.append(future.result())
        if future not in reported:
            tell(outcomes[-1])
    return outcomes, interrupted
