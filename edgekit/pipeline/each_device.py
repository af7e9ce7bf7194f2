"""The same question or change on several devices at once; one that fails keeps none of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from edgekit.devices.device import Destination, destinations
from edgekit.devices.emulation import registry
from edgekit.devices.inventory import Book
from edgekit.devices.local import Local
from edgekit.errors import EdgekitError

T = TypeVar("T")
AT_ONCE = 8
"""Devices that are asked at the same time."""
LOCAL = "local://"


@dataclass(frozen=True)
class DeviceResult(Generic[T]):
    """Result of one device, or the error that it ended with."""

    device: Destination
    result: T | None = None
    error: EdgekitError | None = None


def each_device(devices: Sequence[Destination], work: Callable[[str], T]) -> tuple[DeviceResult[T], ...]:
    """Call `work` with each device, several at once; results are in the order of the devices."""

    def one(device: Destination) -> DeviceResult[T]:
        try:
            return DeviceResult(device, work(device.name))
        except EdgekitError as error:
            return DeviceResult(device, error=error)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return tuple(pool.map(one, devices))


def known_devices() -> tuple[Destination, ...]:
    """All devices that are known here: those with a name, emulated ones that are up, and this machine if it was used.

    Raises SpecError if devices.toml is wrong.
    """
    emulated = [f"emulated://{card.name}" for card in registry.cards() if card.state != "ended"]
    used = [LOCAL] if Path(Local(LOCAL).root, "state.json").exists() else []
    return destinations([*Book.of_user().entries(), *emulated, *used])
