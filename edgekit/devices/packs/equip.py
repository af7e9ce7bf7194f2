"""Equip a device with a runtime for a model: a runtime pack, or the device's own Python if that has one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import PurePosixPath

from edgekit.cache import Cache
from edgekit.devices.packs.install import QUICK_S, install_pack, installed_packs
from edgekit.devices.packs.pack import build, interpreter
from edgekit.devices.packs.recipe import LOADER, recipe_for
from edgekit.devices.transport import Transport
from edgekit.errors import CommandFailed, OptionError, RuntimeMismatch, RuntimeMissing
from edgekit.runner.machine.runtime_versions import DISTRIBUTIONS, ONNX_GPU, TENSORRT, public_version
from edgekit.untrusted import json_text
from edgekit.untrusted.sanitize import last_lines

PACKS_BYTECODE = "a70d0d0a"
"""Number of the bytecode of the packs' Python, in hex: `importlib.util.MAGIC_NUMBER` of every release of 3.11."""
PYTHON = (3, 9)
"""Oldest Python that runs the runner."""
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
    """Command line of a Python on the device that runs models of a format, after sending a pack if one is needed.

    The runtime is chosen in this order:

    1. the device's own Python, if `accelerated` (the bundle has an engine plan), `runtime` is auto or system, and that
       Python has NVIDIA's runtime, in whatever version;
    2. the device's own Python for `system`, and for `auto` on local://;
    3. a pack: of the preferred distribution for `auto`, else of the distribution that `runtime` names.

    versions: those of the bundle, by distribution. packs: names of packs that are known to be on the device, and are
    not sent again. beside_bytes: room that must be left beside a pack that is sent.
    Raises UnknownName or OptionError for another `runtime`; Incompatible, TooSmall, StorageError, CommandFailed or
    PackError if there can be no pack; RuntimeMissing or RuntimeMismatch if the device's own does not fit.
    """
    if accelerated and runtime in ("auto", "system") and _has_nvidias(device):
        return (device.python,)
    if runtime == "system" or (runtime == "auto" and device.kind == "local"):
        return _own(device, format, versions if runtime == "system" else {})
    recipe = recipe_for(format, runtime)
    if device.kind == "local":
        raise OptionError(f"{device.url} is this machine, and runs what is installed here", hint="--runtime auto")
    pack = build(recipe, versions, Cache.of_downloads())
    return interpreter(install_pack(pack, device, beside_bytes, packs))


def bytecode(interpreter: tuple[str, ...]) -> str | None:
    """Number of the bytecode of that Python, in hex, if it is a pack's; None for any other."""
    return PACKS_BYTECODE if PurePosixPath(interpreter[0]).name == LOADER else None


def any_python(device: Transport) -> tuple[str, ...] | None:
    """Command line of any Python on the device, of whatever pack; None if it has none."""
    if device.kind != "local":
        for folder in installed_packs(device):
            if _starts(device, interpreter(folder)):
                return interpreter(folder)
    return (device.python,) if _starts(device, (device.python,)) else None


def _starts(device: Transport, python: tuple[str, ...]) -> bool:
    try:
        return device.run([*python, "-c", ""], timeout=QUICK_S).returncode == 0
    except CommandFailed:
        return False


def _own(device: Transport, format: str, versions: Mapping[str, str]) -> tuple[str, ...]:
    """Command line of the device's own Python, if it has a runtime of the format, in the version of `versions` if any.

    Raises RuntimeMissing or RuntimeMismatch.
    """
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
    """Tell whether the device's own Python has NVIDIA's runtime: only that can use the GPU, no pack has it."""
    try:
        installed = _installed(device)
    except RuntimeMissing:
        return False
    return "numpy" in installed and not installed.keys().isdisjoint({ONNX_GPU, TENSORRT})


def _installed(device: Transport) -> dict[str, str]:
    """Versions of everything that is installed in the device's Python, by distribution."""
    try:
        answer = device.run([device.python, "-c", ASK], timeout=QUICK_S)
    except CommandFailed as error:
        raise RuntimeMissing(f"{device.url} has no '{device.python}': {error}", hint=_OTHERWISE) from error
    try:
        python, versions = _versions(answer.stdout)
    except ValueError as error:
        last = last_lines(answer.stderr, 1) or [f"exit {answer.returncode}"]
        raise RuntimeMissing(f"{device.url} has no '{device.python}' that works: {last[0]}", hint=_OTHERWISE) from error
    if python < PYTHON:
        oldest, own = (".".join(map(str, version)) for version in (PYTHON, python))
        raise RuntimeMissing(f"{device.url} has Python {own}, the runner needs {oldest}", hint=_OTHERWISE)
    return {re.sub("[-_.]+", "-", name).lower(): version for name, version in versions.items() if name}


def _versions(output: str) -> tuple[tuple[int, ...], dict[str, str]]:
    """Parse the last line of the output of ASK: Python's version and those of all distributions. Raises ValueError."""
    document = json_text.loads(output.rstrip().rpartition("\n")[2])
    match document:
        case [[*python], dict() as versions] if python and all(type(part) is int for part in python):
            # A distribution that was not removed whole has no name, or no version.
            return tuple(python), {name: version for name, version in versions.items() if isinstance(version, str)}
    raise ValueError("no versions")


_OTHERWISE = "--runtime auto brings one along"


def _install(format: str, distribution: str, versions: Mapping[str, str]) -> str:
    exact = f"{distribution}=={public_version(versions[distribution])}" if distribution in versions else distribution
    return f"on the device: pip install {' '.join((exact, *DISTRIBUTIONS[format][distribution]))}"
