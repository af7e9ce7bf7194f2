"""A device gets what it needs to run a model: a runtime pack, or what it has itself, if that will do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from edgekit.cache import Cache
from edgekit.devices.packs.install import QUICK_S, place, places
from edgekit.devices.packs.pack import build, interpreter
from edgekit.devices.packs.recipe import recipe_for
from edgekit.devices.transport import Transport
from edgekit.errors import CommandFailed, OptionError, RuntimeMismatch, RuntimeMissing
from edgekit.runner.machine.installed import DISTRIBUTIONS, ONNX_GPU, TENSORRT, public_version
from edgekit.untrusted import json_text
from edgekit.untrusted.sanitize import last_lines

PYTHON = (3, 9)
"""The oldest that runs the runner."""
# One line: a shell on the device may have to quote it.
ASK = (
    "import json, sys; from importlib.metadata import distributions as all; "
    "print(json.dumps([sys.version_info[:2], {d.metadata['Name']: d.version for d in all()}]))"
)


def equip(
    device: Transport,
    format: str,
    versions: Mapping[str, str],
    runtime: str = "auto",
    beside_bytes: int = 0,
    accelerated: bool = False,
    packs: AbstractSet[str] = frozenset(),
) -> tuple[str, ...]:
    """How to start a Python on the device that runs models of a format.

    `runtime` is `auto` for a pack, or on local:// for this machine's own Python; `system` for the device's own; or a
    distribution's name for a pack of that one. `versions` are the bundle's. A pack that is there, or among the `packs`
    known to be, is not sent again; one that is not must fit, and `beside_bytes` beside it. A bundle that is to be
    `accelerated` has an engine plan: where the device's own Python has NVIDIA's runtime, `auto` and `system` are that
    one, of whatever version the board's maker gave it.
    Raises UnknownName or OptionError for another `runtime`; Incompatible, TooSmall, StorageError, CommandFailed or
    PackError if there can be no pack; RuntimeMissing or RuntimeMismatch if the device's own will not do.
    """
    if accelerated and runtime in ("auto", "system") and _has_nvidias(device):
        return (device.python,)
    if runtime == "system" or (runtime == "auto" and device.kind == "local"):
        return _own(device, format, versions if runtime == "system" else {})
    recipe = recipe_for(format, runtime)
    if device.kind == "local":
        raise OptionError(f"{device.url} is this machine, and runs what is installed here", hint="--runtime auto")
    pack = build(recipe, versions, Cache.of_downloads())
    return interpreter(place(pack, device, beside_bytes, packs))


def any_python(device: Transport) -> tuple[str, ...] | None:
    """How to start whatever Python there is on the device, be it of any pack; None if it has none."""
    if device.kind != "local":
        for folder in places(device):
            if _starts(device, interpreter(folder)):
                return interpreter(folder)
    return (device.python,) if _starts(device, (device.python,)) else None


def _starts(device: Transport, python: tuple[str, ...]) -> bool:
    try:
        return device.run([*python, "-c", ""], timeout=QUICK_S).returncode == 0
    except CommandFailed:
        return False


def _own(device: Transport, format: str, versions: Mapping[str, str]) -> tuple[str, ...]:
    """The device's own Python, with a runtime for the format, in the version that `versions` has for it if any."""
    installed = _installed(device)
    preferred = next(iter(DISTRIBUTIONS[format]))
    for distribution, needs in DISTRIBUTIONS[format].items():
        if not {distribution, "numpy", *needs} <= installed.keys():
            continue
        wanted = versions.get(distribution)
        if not versions or public_version(installed[distribution]) == public_version(wanted):
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


def _has_nvidias(device: Transport) -> bool:
    """Whether its own Python can use the GPU: no wheel for all boards can, so no pack does."""
    try:
        found = _installed(device)
    except RuntimeMissing:
        return False
    return "numpy" in found and not found.keys().isdisjoint({ONNX_GPU, TENSORRT})


def _installed(device: Transport) -> dict[str, str]:
    """Versions of all that is installed in the device's Python, by distribution."""
    try:
        answer = device.run([device.python, "-c", ASK], timeout=QUICK_S)
    except CommandFailed as error:
        raise RuntimeMissing(f"{device.url} has no '{device.python}': {error}", hint=_OTHERWISE) from error
    try:
        python, found = _versions(answer.stdout)
    except ValueError as error:
        last = last_lines(answer.stderr, 1) or [f"exit {answer.returncode}"]
        raise RuntimeMissing(f"{device.url} has no '{device.python}' that works: {last[0]}", hint=_OTHERWISE) from error
    if python < PYTHON:
        oldest, own = (".".join(map(str, version)) for version in (PYTHON, python))
        raise RuntimeMissing(f"{device.url} has Python {own}, the runner needs {oldest}", hint=_OTHERWISE)
    return {re.sub("[-_.]+", "-", name).lower(): version for name, version in found.items() if name}


def _versions(said: str) -> tuple[tuple[int, ...], dict[str, str]]:
    """Python's version and those of all distributions, from the last line of what `ASK` says. Raises ValueError."""
    document = json_text.loads(said.rstrip().rpartition("\n")[2])
    match document:
        case [[*python], dict() as found] if python and all(type(part) is int for part in python):
            # A distribution that was not removed whole has no name, or no version.
            return tuple(python), {name: version for name, version in found.items() if isinstance(version, str)}
    raise ValueError("no versions")


_OTHERWISE = "--runtime auto brings one along"


def _install(format: str, distribution: str, versions: Mapping[str, str]) -> str:
    exact = f"{distribution}=={public_version(versions[distribution])}" if distribution in versions else distribution
    return f"on the device: pip install {' '.join((exact, *DISTRIBUTIONS[format][distribution]))}"
