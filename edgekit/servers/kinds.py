"""Kinds of servers that can be started, with their requirements."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.bundle.manifest import Manifest
from edgekit.errors import ServerNotStarted
from edgekit.ir.artifact import Format
from edgekit.runner.machine.runtime_versions import DISTRIBUTIONS, public_version

PYTHONS = ((3, 11), (3, 12))
"""Oldest and newest Python for which both servers, and the pinned runtimes, have wheels."""


@dataclass(frozen=True)
class Kind:
    """Kind of a server: its packages, the formats that it can serve, and its needs of the Python."""

    name: str
    packages: tuple[str, ...]
    formats: tuple[Format, ...]
    shared_python: bool
    """True if it loads Python as a library, as Triton's backend does: `libpython3.11.so.1.0`, which not all have."""


KINDS = {
    # pytriton 0.7.0 requires numpy 1, executorch 1.5.1 numpy 2.
    "triton": Kind("triton", ("nvidia-pytriton==0.7.0", "numpy<2"), ("onnx", "tflite"), shared_python=True),
    "mlserver": Kind("mlserver", ("mlserver==1.7.1",), ("onnx", "tflite", "pte"), shared_python=False),
}


def requirements(kind: Kind, manifest: Manifest) -> tuple[str, ...]:
    """Requirements for pip to serve a bundle: the server, and the runtime in the version of the bundle.

    Raises ServerNotStarted if the server cannot serve the bundle's format.
    """
    if manifest.format not in kind.formats:
        others = (other.name for other in KINDS.values() if manifest.format in other.formats)
        raise ServerNotStarted(f"{kind.name} cannot serve .{manifest.format}", hint=f"--server {next(others)}")
    for distribution, needs in DISTRIBUTIONS[manifest.format].items():
        names = (distribution, *needs)
        if all(name in manifest.versions for name in names):
            return (*kind.packages, *(f"{name}=={public_version(manifest.versions[name])}" for name in names))
    raise ServerNotStarted(
        f"the bundle does not say what runs .{manifest.format}", hint="build it again: edgekit build"
    )
