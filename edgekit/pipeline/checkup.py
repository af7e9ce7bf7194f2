"""Checkup of this machine: what a build, an emulated device and a board need, what is there, and what to type."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from edgekit import user_paths
from edgekit.bundle.keys import KeyStore
from edgekit.cache_contents import cache_contents
from edgekit.devices import process
from edgekit.devices.adb.server import Server
from edgekit.devices.device import Destination
from edgekit.devices.emulation.registry import cards
from edgekit.devices.emulation.tools import INSTALL, OLDEST
from edgekit.devices.inventory import Book
from edgekit.errors import CommandFailed, EdgekitError, Unreachable
from edgekit.errors.extras import extra_hint
from edgekit.pipeline.each_device import DeviceResult, each_device
from edgekit.pipeline.ping import Pong, ping
from edgekit.runner.machine import system
from edgekit.specs.project import FILE, Project

State = Literal["ok", "missing", "note"]
"""`missing` is what a build needs; a `note` concerns some commands alone."""
SPACE = 5e9
"""Bytes that a first build, with a converter's scratch files and an image of a board, may take."""
MEMORY = 3e9
"""Bytes that building a small model takes: torch, a converter and the reference side by side."""
ASK_S = 10.0
COMPILER = (
    "torch",
    "torchao",
    "executorch",
    "onnx",
    "onnxruntime",
    "litert-torch",
    "ai-edge-litert",
    "ai-edge-quantizer",
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    text: str
    command: str = ""
    """Command to type; empty where nothing needs doing."""


def checkup(folder: Path, ask_devices: bool) -> list[Finding]:
    """Look at this machine, and at the project in `folder`. Named devices are asked if `ask_devices`.

    Nothing is installed or fetched; adb starts its server where none runs.
    """
    return [
        *_versions(),
        *_machine(),
        _disk(folder),
        _cache(),
        _keys(),
        _qemu(),
        _adb(),
        _program("ssh", ("ssh", "-V"), "boards that are reached by ssh://", "apt-get install openssh-client"),
        *_devices(ask_devices),
        _project(folder),
    ]


def _versions() -> Iterator[Finding]:
    yield Finding("edgekit", "ok", f"{version('edgekit')}, Python {sys.version.split()[0]}")
    pins = _pins()
    for name in COMPILER:
        installed, pin = _installed(name), pins.get(name)
        if installed is None:
            yield Finding(name, "missing", f"not installed; builds need {pin or 'it'}", extra_hint("build"))
        elif pin and installed.partition("+")[0] != pin:
            yield Finding(name, "note", f"{installed}; edgekit is proven with {pin}", f"pip install '{name}=={pin}'")
        else:
            yield Finding(name, "ok", installed)


def _pins() -> dict[str, str]:
    """Versions that the extra `build` states, by package."""
    matches = (re.match(r"([\w.-]+)==([\w.]+)", text) for text in requires("edgekit") or () if "build" in text)
    return {match[1]: match[2] for match in matches if match}


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _machine() -> Iterator[Finding]:
    info = system.info()
    yield Finding("machine", "ok", f"{info['cpu'] or info['machine']}, {info['cores']} cores, {info['system']}")
    free, total = system.available_bytes(), info["ram_bytes"]
    if free is None or total is None:
        yield Finding("memory", "note", "unknown")
    elif free < MEMORY:
        text = f"{free / 1e9:.1f} of {total / 1e9:.1f} GB free; a build takes {MEMORY / 1e9:.0f} GB and more"
        yield Finding("memory", "note", text, "free -m")
    else:
        yield Finding("memory", "ok", f"{free / 1e9:.1f} of {total / 1e9:.1f} GB free")


def _disk(folder: Path) -> Finding:
    places = {"this folder": folder.resolve(), "the cache": user_paths.cache()}
    rooms = {name: shutil.disk_usage(_nearest(place)).free for name, place in places.items()}
    text = ", ".join(f"{free / 1e9:,.1f} GB free for {name}" for name, free in rooms.items())
    if min(rooms.values()) < SPACE:
        return Finding("disk", "note", f"{text}; a first build takes up to {SPACE / 1e9:.0f} GB", "edgekit cache clean")
    return Finding("disk", "ok", text)


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _cache() -> Finding:
    contents = cache_contents(user_paths.cache())
    text = f"{contents.entries:,} entries, {contents.bytes / 1e6:,.0f} MB, in '{contents.root}'"
    return Finding("cache", "ok", text + (", in use" if contents.in_use else ""))


def _keys() -> Finding:
    try:
        names = list(KeyStore.of_user().list())
    except EdgekitError as error:
        return Finding("keys", "note", str(error), error.hint or "edgekit keys list")
    return Finding(
        "keys", "ok", f"signing keys: {', '.join(names)}" if names else "none yet: the first build makes 'default'"
    )


def _qemu() -> Finding:
    program, oldest = shutil.which("qemu-system-aarch64"), ".".join(map(str, OLDEST))
    match = re.search(r"version (\d+)\.(\d+)\S*", _first_line((program, "--version"))) if program else None
    if match and (int(match[1]), int(match[2])) >= OLDEST:
        return Finding("QEMU", "ok", f"{match[0].removeprefix('version ')}: `--device emulated` uses it")
    here = f"{match[0].removeprefix('version ')} is older than {oldest}" if match else "not installed"
    return Finding("QEMU", "note", f"{here}; `--device emulated` fetches Debian's into the cache where it can", INSTALL)


def _adb() -> Finding:
    program = shutil.which("adb")
    if program is None:
        return Finding("adb", "note", "not installed; boards that are reached by adb:// need it", "apt-get install adb")
    try:
        seen = Server((program,)).devices()
    except Unreachable as error:
        return Finding("adb", "note", str(error), error.hint or "adb start-server")
    listed = ", ".join(f"{each.serial} ({each.state})" for each in seen)
    if not listed:
        return Finding("adb", "ok", "no device on USB or Wi-Fi")
    ready = [each.serial for each in seen if each.state == "device"]
    command = (
        f"edgekit device add phone adb://{ready[0]}"
        if ready
        else "look at the phone: it asks whether to allow this computer"
    )
    return Finding("adb", "ok", listed, command)


def _program(name: str, argv: Sequence[str], use: str, install: str) -> Finding:
    if shutil.which(argv[0]) is None:
        return Finding(name, "note", f"not installed; {use} need it", install)
    return Finding(name, "ok", _first_line(argv))


def _first_line(argv: Sequence[str | None]) -> str:
    try:
        answer = process.run([str(part) for part in argv], timeout=ASK_S)
    except CommandFailed as error:
        return str(error)
    lines = (answer.stdout or answer.stderr).splitlines()
    return lines[0] if lines else "gives no version"


def _devices(ask: bool) -> Iterator[Finding]:
    try:
        entries = dict(Book.of_user().entries())
    except EdgekitError as error:
        yield Finding("devices", "note", str(error), error.hint or "edgekit device list")
        return
    running = [card.name for card in cards()]
    if running:
        yield Finding("emulated", "ok", f"running: {', '.join(running)}", "edgekit device list")
    if not entries:
        yield Finding("devices", "note", "none has a name yet", "edgekit device add NAME ssh://USER@HOST")
        return
    if not ask:
        listed = ", ".join(f"{name} ({entry.url})" for name, entry in entries.items())
        yield Finding("devices", "ok", listed, "edgekit doctor --devices")
        return
    yield from map(_asked, each_device([Destination(name, entry.url) for name, entry in entries.items()], ping))


def _asked(answer: DeviceResult[Pong]) -> Finding:
    name, pong, error = answer.device.name, answer.result, answer.error
    if error:
        return Finding(name, "note", f"{error} ({error.code})", error.hint or f"edgekit device ping {name}")
    assert pong
    machine = pong.info.machine if pong.info else "no Python yet: a flash brings one along"
    return Finding(name, "ok", f"answers in {pong.seconds:.2f} s, {machine}")


def _project(folder: Path) -> Finding:
    if not (folder / FILE).is_file():
        return Finding("project", "note", f"no '{FILE}' in this folder", "edgekit init")
    try:
        project = Project.read(folder)
    except EdgekitError as error:
        return Finding("project", "note", f"{error} ({error.code})", error.hint or f"edgekit explain {error.code}")
    return Finding("project", "ok", project.name, "edgekit build --target host")
