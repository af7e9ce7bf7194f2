"""LiteRT's accelerator library on a device that runs models by a runtime pack, which is a third larger with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

from edgekit.cache import Cache, file_digest
from edgekit.devices.local import Local
from edgekit.devices.packs import wheels
from edgekit.devices.packs.recipe import MACHINE, recipe_of, versions_of
from edgekit.devices.runner_client import QUICK_S, Runner
from edgekit.errors import EdgekitError
from edgekit.runner.model.accelerator import LITERT_GPU, Accelerator

DISTRIBUTION = "ai-edge-litert"
LIBRARY = "libLiteRtWebGpuAccelerator.so"
NEWEST: Mapping[str, str] = MappingProxyType({})
"""Versions of no bundle: the one that edgekit requires is taken."""


def with_library(
    accelerator: Accelerator | None, runner: Runner, versions: Mapping[str, str] = NEWEST
) -> Accelerator | None:
    """Put the library on the runner's device if the request needs it, once, and name its folder there in the request.

    A Python of the device's own has it in its own package, as has this machine, and a device of another architecture
    than packs are for. versions: those of the bundle, by distribution, as of the pack that runs it. Raises PackError if
    it cannot be fetched.
    """
    device = runner.transport
    if accelerator is None or accelerator.kind != LITERT_GPU:
        return accelerator
    if isinstance(device, Local) or runner.interpreter == (device.python,):
        return accelerator
    if device.run(["uname", "-m"], timeout=QUICK_S).stdout.strip() != MACHINE:
        return accelerator
    recipe = recipe_of(DISTRIBUTION)
    wheel = wheels.fetched(DISTRIBUTION, versions_of(recipe, versions)[DISTRIBUTION], Cache.of_downloads())
    library = wheel / "ai_edge_litert" / LIBRARY
    place = PurePosixPath(device.root) / "accelerators" / file_digest(library)[:16]
    if LIBRARY not in device.run(["ls", str(place)], timeout=QUICK_S).stdout.split():
        try:
            device.push(library, place / LIBRARY)
        except EdgekitError:
            device.run(["rm", "-rf", str(place)], timeout=QUICK_S)
            raise
    return accelerator._replace(options=(*accelerator.options, ("library", str(place))))
