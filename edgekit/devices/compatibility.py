"""Compatibility of a bundle with a device: architecture, disk and memory, checked before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.devices.survey import Survey
from edgekit.devices.transport import Transport
from edgekit.errors import Incompatible, TooSmall

if TYPE_CHECKING:
    from edgekit.bundle.manifest import Manifest

RUNTIME_BYTES = 48 << 20
"""Memory in bytes of a runner with a small model; measured with ai-edge-litert 2.3.0, the smallest runtime."""


def check_fit(manifest: Manifest, device: Transport, survey: Survey) -> None:
    """Raise Incompatible if the bundle is for another kind of machine, TooSmall if disk or memory cannot hold it."""
    if manifest.arch != survey.machine and device.kind != "local":
        raise Incompatible(
            f"the bundle is for {manifest.arch} ('{manifest.target}'), {device.url} is {survey.machine}",
            hint="build for a target of that kind: edgekit targets",
        )
    content = content_bytes(manifest)
    free, room = survey.free_bytes, content + archive_bytes(manifest, survey)
    if free is not None and free < room:
        raise TooSmall(
            f"{device.url} has {_mb(free)} free at '{device.root}', the bundle needs {_mb(room)}: {_mb(content)}, and "
            "the archive that brings it",
            hint="make room on the device",
        )
    available, needed = survey.available_bytes, RUNTIME_BYTES + content
    if available is not None and available < needed:
        raise TooSmall(
            f"{device.url} has {_mb(available)} of memory available, the model and its runtime need {_mb(needed)}",
            hint="end other programs on the device, or build a smaller model",
        )


def content_bytes(manifest: Manifest) -> int:
    """Size in bytes of the bundle's files: a slot needs as much disk, and the model at least as much memory."""
    return sum(file.bytes for file in manifest.files)


def archive_bytes(manifest: Manifest, survey: Survey) -> int:
    """Size in bytes of the files that no slot has: they lie on the device twice, packed and unpacked, for a moment."""
    return sum(file.bytes for file in manifest.files if (file.path, file.sha256) not in survey.listed)


def _mb(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
