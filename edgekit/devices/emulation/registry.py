"""Registry of this user's emulated devices: start, keep under a name, find, end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from secrets import token_hex
from typing import Literal

from pydantic import TypeAdapter

from edgekit import user_paths
from edgekit.atomic import create, write
from edgekit.cache import Cache
from edgekit.devices.emulation.board import EmulatedBoard
from edgekit.devices.emulation.image import find_image
from edgekit.devices.emulation.locked_folder import in_use, sweep
from edgekit.devices.emulation.machine import EmulationSetup, Machine, free_ports, make
from edgekit.devices.emulation.packs_disk import packs_disk
from edgekit.devices.emulation.qemu import GuestPorts
from edgekit.devices.emulation.snapshot import MEMORY, find_snapshot
from edgekit.devices.emulation.tools import find_tools
from edgekit.errors import BootFailed, DeviceBusy, ImageDamaged, OptionError, PortTaken, UnknownName, suggest
from edgekit.specs.target import Target
from edgekit.untrusted import json_text

CARD = "device.json"
DOWN_S = 20.0
LOOK_S = 0.02
TRIES = 4


@dataclass(frozen=True)
class Card:
    """Record of a device, `device.json`: enough for another process to reach it."""

    name: str
    target: str
    cpu: str
    ram_mb: int
    transport: str
    root: str
    ssh: int
    adb: int
    identity: str
    host_key: str
    guard: int | None = None
    """Process id of its guard; None while it ends with the process that started it."""

    @property
    def folder(self) -> Path:
        return devices_folder() / self.name

    @property
    def known_hosts(self) -> Path:
        """File with the only host key that ssh accepts of it."""
        return self.folder / "known_hosts"

    @property
    def state(self) -> Literal["up", "in use", "ended"]:
        if not in_use(self.folder):
            return "ended"
        return "in use" if self.guard is None else "up"


def devices_folder() -> Path:
    """Folder of the devices, in the user's data folder or in EDGEKIT_DATA."""
    return user_paths.data() / "emulated"


@contextlib.contextmanager
def started(target: Target, cache: Cache) -> Iterator[tuple[Machine, Card]]:
    """Start a fresh device of that target, for as long as the block runs.

    Raises OptionError if the target is not emulated, ToolsMissing, ImageDamaged, BootFailed, StorageError.
    """
    machine, card = _start(target, cache, f"{target.id}.{token_hex(4)}", None)
    try:
        yield machine, card
    finally:
        machine.end()


def up(name: str, target: Target, cache: Cache, port: int | None = None) -> Card:
    """Start a device that stays until `down`. Raises DeviceBusy if one has that name, PortTaken, and as `started`."""
    if not re.fullmatch(r"[\w-]+", name):
        raise OptionError(f"'{name}' cannot be a device's name", hint="letters, digits and dashes: pi5-a")
    machine, card = _start(target, cache, name, port)
    try:
        card_with_guard = Card(**{**asdict(card), "guard": machine.pid})
        _write(card_with_guard)
        machine.keep()
    except BaseException:
        machine.end()
        raise
    machine.lock.close()
    return card_with_guard


def down(name: str) -> None:
    """End a device and remove everything of it. Raises UnknownName; DeviceBusy if a run of edgekit uses it."""
    card = find(name)
    if card.state == "in use":
        raise DeviceBusy(f"'{name}' belongs to an edgekit that runs", hint="end that one: Ctrl-C")
    if card.state == "up" and card.guard:
        with contextlib.suppress(ProcessLookupError):
            os.kill(card.guard, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_S
    while card.folder.exists():
        sweep(card.folder)
        if time.monotonic() > deadline:
            raise BootFailed(f"'{name}' did not end within {DOWN_S:g} s", hint=f"kill -9 {card.guard}")
        time.sleep(LOOK_S)


def cards() -> list[Card]:
    """List every device, also those that ended by themselves and were not removed yet."""
    read = (_read(path) for path in sorted(devices_folder().glob(f"*/{CARD}")))
    return [card for card in read if card]


def find(name: str) -> Card:
    """Find the device of that name. Raises UnknownName."""
    card = _read(devices_folder() / name / CARD)
    if card is None:
        known = [card.name for card in cards()]
        raise UnknownName(
            f"no emulated device is called '{name}'",
            hint=suggest(name, known, f"edgekit device up {name} --target raspberry-pi-5"),
        )
    return card


def console(name: str) -> str:
    """Text of its console, and of its emulator. Raises UnknownName."""
    folder = find(name).folder
    logs = (folder / "console.log", folder / "emulator.log")
    return "".join(log.read_text("utf-8", "replace") for log in logs if log.exists())


def _start(target: Target, cache: Cache, name: str, port: int | None) -> tuple[Machine, Card]:
    board = EmulatedBoard.of(target)
    for folder in devices_folder().glob("*"):
        sweep(folder)
    tools = find_tools(cache)
    image = find_image(tools, cache)
    setup = EmulationSetup(tools, image, board)
    machine = _resume_from_snapshot(setup, cache, devices_folder() / name, port)
    # A copy of the key: that of the image changes when the image is made again.
    identity = machine.folder / "identity"
    ports = asdict(machine.ports)
    card = Card(name=name, **asdict(board), **ports, identity=str(identity), host_key=image.host_key)
    try:
        create(identity, image.identity.read_bytes(), 0o600)
        write(card.known_hosts, f"[127.0.0.1]:{card.ssh} {card.host_key}\n".encode())
        _write(card)
    except BaseException:
        machine.end()
        raise
    return machine, card


def _resume_from_snapshot(setup: EmulationSetup, cache: Cache, folder: Path, port: int | None) -> Machine:
    backing, packs = find_snapshot(setup, cache), packs_disk(setup.tools, setup.image, cache)
    try:
        return _resume(setup, folder, backing, port, packs)
    except ImageDamaged:
        # The snapshot is as it was sealed, and does not load: another build of QEMU wrote it, say.
        shutil.rmtree(backing, ignore_errors=True)
        return _resume(setup, folder, find_snapshot(setup, cache), port, packs)


def _resume(setup: EmulationSetup, folder: Path, backing: Path, port: int | None, packs: Path) -> Machine:
    for tries_left in reversed(range(TRIES)):
        free = free_ports()
        machine = make(setup, folder, backing, GuestPorts(port or free.ssh, free.adb), packs)
        try:
            machine.wake_up(backing / MEMORY)
            return machine
        except PortTaken:
            machine.end()
            # Between the check and QEMU's start, another program may take a port that was free.
            if port or not tries_left:
                raise
        except BaseException:
            machine.end()
            raise
    raise AssertionError("the last try returns or raises")


def _write(card: Card) -> None:
    write(card.folder / CARD, json.dumps(asdict(card), indent=2).encode())


def _read(path: Path) -> Card | None:
    try:
        card = _CARD.validate_python(json_text.loads(path.read_text("utf-8")))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return card if card.name == path.parent.name else None


_CARD = TypeAdapter(Card)
