"""A device gets what it needs to run a model: a runtime pack, or what it has itself, if that will do."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from collections.abc import Mapping
from pathlib import PurePosixPath

from edgekit.cache import Cache
from edgekit.devices.packs.pack import Pack, build, interpreter
from edgekit.devices.packs.recipe import MACHINE, recipe_for
from edgekit.devices.transport import Transport
from edgekit.errors import (
    CommandFailed,
    EdgekitError,
    Incompatible,
    OptionError,
    RuntimeMismatch,
    RuntimeMissing,
    StorageError,
    TooSmall,
)
from edgekit.runner.runtimes import DISTRIBUTIONS

FOLDER = "runtimes"
"""Below a device's root: a folder a pack, named by the start of its digest."""
QUICK_S, UNPACK_S = 60.0, 600.0
STALE_MIN = 60
PYTHON = (3, 9)
"""The oldest that runs the runner."""
# A line each: what a shell on the device must quote should not have more.
ASK = (
    "import json, sys; from importlib.metadata import distributions as all; "
    "print(json.dumps([sys.version_info[:2], {d.metadata['Name']: d.version for d in all()}]))"
)
SETTLE = "import os, sys; os.sync(); os.rename(*sys.argv[1:]); os.sync()"


def equip(
    device: Transport, format: str, versions: Mapping[str, str], runtime: str = "auto", beside_bytes: int = 0
) -> tuple[str, ...]:
    """How to start a Python on the device that runs models of a format.

    `runtime` is `auto` for a pack, or on local:// for this machine's own Python; `system` for the device's own; or a
    distribution's name for a pack of that one. `versions` are the bundle's. A pack that is there is not sent again;
    one that is not must fit, and `beside_bytes` beside it.
    Raises UnknownName or OptionError for another `runtime`; Incompatible, TooSmall, StorageError, CommandFailed or
    PackError if there can be no pack; RuntimeMissing or RuntimeMismatch if the device's own will not do.
    """
    if runtime == "system" or (runtime == "auto" and device.kind == "local"):
        return _own(device, format, versions if runtime == "system" else {})
    recipe = recipe_for(format, runtime)
    if device.kind == "local":
        raise OptionError(f"{device.url} is this machine, and runs what is installed here", hint="--runtime auto")
    pack = build(recipe, versions, Cache.of_downloads())
    return interpreter(_placed(pack, device, beside_bytes))


def any_python(device: Transport) -> tuple[str, ...] | None:
    """How to start whatever Python there is on the device, be it of any pack; None if it has none."""
    if device.kind != "local":
        listed = device.run(["ls", str(device.root / FOLDER)], timeout=QUICK_S).stdout.split()
        packs = [name for name in listed if re.fullmatch("[0-9a-f]{16}", name)]
        if packs:
            return interpreter(device.root / FOLDER / packs[0])
    with contextlib.suppress(CommandFailed):
        if device.run([device.python, "-c", ""], timeout=QUICK_S).returncode == 0:
            return (device.python,)
    return None


def _own(device: Transport, format: str, versions: Mapping[str, str]) -> tuple[str, ...]:
    """The device's own Python, with a runtime for the format, in the version that `versions` has for it if any."""
    installed = _installed(device)
    preferred = next(iter(DISTRIBUTIONS[format]))
    for distribution, needs in DISTRIBUTIONS[format].items():
        if not {distribution, "numpy", *needs} <= installed.keys():
            continue
        wanted = versions.get(distribution)
        if not versions or _public(installed[distribution]) == _public(wanted or ""):
            return (device.python,)
        verified = distribution if wanted else preferred
        raise RuntimeMismatch(
            f"{device.url} has {distribution} {installed[distribution]}, "
            f"the bundle was verified with {verified} {versions.get(verified, 'of no known version')}",
            hint=f"{_install(format, verified, versions)}; or leave it to us: --runtime auto",
        )
    raise RuntimeMissing(
        f"{device.url}: nothing there runs .{format}",
        hint=_install(format, preferred, versions),
    )


def _installed(device: Transport) -> dict[str, str]:
    """Versions of all that is installed in the device's Python, by distribution."""
    try:
        answer = device.run([device.python, "-c", ASK], timeout=QUICK_S)
    except CommandFailed as error:
        raise RuntimeMissing(f"{device.url} has no '{device.python}': {error}", hint=_OTHERWISE) from error
    try:
        python, found = json.loads(answer.stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        last = answer.stderr.strip().splitlines()[-1:] or [f"exit {answer.returncode}"]
        raise RuntimeMissing(f"{device.url} has no '{device.python}' that works: {last[0]}", hint=_OTHERWISE) from error
    if tuple(python) < PYTHON:
        oldest, own = (".".join(map(str, version)) for version in (PYTHON, python))
        raise RuntimeMissing(f"{device.url} has Python {own}, the runner needs {oldest}", hint=_OTHERWISE)
    return {re.sub("[-_.]+", "-", name).lower(): version for name, version in found.items() if name}


_OTHERWISE = "--runtime auto brings one along"


def _install(format: str, distribution: str, versions: Mapping[str, str]) -> str:
    exact = f"{distribution}=={_public(versions[distribution])}" if distribution in versions else distribution
    return f"on the device: pip install {' '.join((exact, *DISTRIBUTIONS[format][distribution]))}"


def _public(version: str) -> str:
    """Without what a builder added to it: 2.13.0 of 2.13.0+cpu."""
    return version.partition("+")[0]


def _placed(pack: Pack, device: Transport, beside_bytes: int) -> PurePosixPath:
    """The pack's folder on the device. It appears there whole, whoever else is at it, or not at all."""
    home = device.root / FOLDER
    folder = home / pack.listing.digest[:16]
    if _is_there(folder, device):
        return folder
    _check(pack, device, beside_bytes)
    partial = home / f".{folder.name}.{secrets.token_hex(4)}"
    archive = home / f"{partial.name}.tar.gz"
    try:
        device.push(pack.archive, archive)
        _remove_stale(home, device)
        _do(device, "mkdir", str(partial))
        _do(device, "tar", "-xzf", str(archive), "-C", str(partial))
        _settle(partial, folder, device)
    finally:
        with contextlib.suppress(EdgekitError):
            device.run(["rm", "-rf", str(archive), str(partial)], timeout=UNPACK_S)
    return folder


def _is_there(folder: PurePosixPath, device: Transport) -> bool:
    return device.run(["test", "-d", str(folder)], timeout=QUICK_S).returncode == 0


def _check(pack: Pack, device: Transport, beside_bytes: int) -> None:
    machine = device.run(["uname", "-m"], timeout=QUICK_S).stdout.strip()
    if machine != MACHINE:
        hint = "--runtime system uses what the device has"
        raise Incompatible(
            f"runtime packs are for {MACHINE}, {device.url} is {machine or 'of no known kind'}", hint=hint
        )
    free = device.free_bytes(device.root)
    needed = pack.listing.device_bytes + pack.listing.archive_bytes + beside_bytes
    if free is not None and free < needed:
        raise TooSmall(
            f"{device.url} has {free / 1e6:.0f} MB free at '{device.root}', "
            f"the runtime pack and the bundle need {needed / 1e6:.0f} MB",
            hint="make room on the device; packs that nothing uses are in its 'runtimes'",
        )


def _remove_stale(home: PurePosixPath, device: Transport) -> None:
    """What hosts or devices that died left behind. Without `find` it stays."""
    names = ("-mindepth", "1", "-maxdepth", "1", "-name", ".*", "-mmin", f"+{STALE_MIN}")
    with contextlib.suppress(CommandFailed):
        device.run(["find", str(home), *names, "-exec", "rm", "-rf", "{}", "+"], timeout=UNPACK_S)


def _settle(partial: PurePosixPath, folder: PurePosixPath, device: Transport) -> None:
    """Give what was unpacked its name, once it is on the disk: by its own Python, which is proven to start by that."""
    try:
        _do(device, *interpreter(partial), "-c", SETTLE, str(partial), str(folder))
    except CommandFailed:
        # Another host's may be there by now: a folder that is not empty is not replaced.
        if not _is_there(folder, device):
            raise


def _do(device: Transport, *argv: str) -> None:
    ended = device.run(argv, timeout=UNPACK_S)
    if not ended.returncode:
        return
    said = " | ".join(ended.stderr.strip().splitlines()[-3:])
    if "No space left" in said or "Disk quota" in said:
        raise StorageError(f"{device.url}: the disk of '{device.root}' is full", hint="make room on the device")
    raise CommandFailed(f"{device.url}: the runtime pack could not be put in place: '{argv[0]}' said: {said}")
