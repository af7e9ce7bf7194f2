"""SwiftShader, a Vulkan driver that computes on the CPU, and Vulkan's loader: both of Debian's Chromium.

It takes the place of a GPU for a test of what runs there, and of its answers. Its times are no device's.
"""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from edgekit.cache import Cache, digest_of
from edgekit.devices import debian
from edgekit.devices.local import Local
from edgekit.devices.runner_client import QUICK_S
from edgekit.devices.transport import Transport
from edgekit.errors import DriverMissing, EdgekitError, ToolsMissing
from edgekit.runner.model.accelerator import Accelerator
from edgekit.specs.accelerator import SWIFTSHADER

PACKAGE, INSIDE = "chromium-common", "usr/lib/chromium"
FILES = ("libvk_swiftshader.so", "libvulkan.so.1", "vk_swiftshader_icd.json")
INSTALL = "EDGEKIT_DEBIAN=URL of a mirror of Debian, or the driver of a GPU and vulkan=system"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Debian's architecture by the name that `uname -m` prints."""


def swiftshader(architecture: str, cache: Cache) -> Path:
    """Folder with driver, manifest and loader for a machine of that architecture, in Debian's words, fetched once.

    Raises ToolsMissing if the package cannot be fetched, or has other files.
    """
    key = {"schema": 1, "release": debian.RELEASE, "architecture": architecture, "package": PACKAGE, "files": FILES}

    def make(folder: Path) -> None:
        unpacked = folder / ".package"
        debian.unpack_alone(PACKAGE, architecture, unpacked)
        for name in FILES:
            source = unpacked / INSIDE / name
            if not source.is_file():
                raise ToolsMissing(f"Debian's '{PACKAGE}' has no '{INSIDE}/{name}'", hint=INSTALL)
            shutil.move(source, folder / name)
        shutil.move(unpacked / debian.LISTED, folder / debian.LISTED)
        shutil.rmtree(unpacked)

    return cache.made().fetch(digest_of(key), make)[0]


def with_driver(accelerator: Accelerator | None, device: Transport) -> Accelerator | None:
    """Put SwiftShader on the device if the request asks for it, and name its folder there in the request.

    Raises ToolsMissing if it cannot be fetched, DriverMissing for a machine that Debian has none for.
    """
    if accelerator is None or accelerator.option("vulkan", "") != SWIFTSHADER:
        return accelerator
    machine = device.run(["uname", "-m"], timeout=QUICK_S).stdout.strip()
    if machine not in MACHINES:
        raise DriverMissing(f"{device.url}: there is no SwiftShader for '{machine}'", hint="vulkan=system")
    folder = swiftshader(MACHINES[machine], Cache.of_downloads())
    place = str(folder) if isinstance(device, Local) else str(_sent(folder, device))
    options = tuple((name, place if name == "vulkan" else value) for name, value in accelerator.options)
    return accelerator._replace(options=options)


def _sent(folder: Path, device: Transport) -> PurePosixPath:
    """Send the files to a folder of edgekit's on the device, unless they are there."""
    place = device.root / "vulkan" / folder.name
    listed = device.run(["ls", str(place)], timeout=QUICK_S)
    if set(FILES) <= set(listed.stdout.split()):
        return place
    try:
        for name in FILES:
            device.push(folder / name, place / name)
    except EdgekitError:
        device.run(["rm", "-rf", str(place)], timeout=QUICK_S)
        raise
    return place
