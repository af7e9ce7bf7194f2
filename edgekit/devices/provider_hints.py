"""Hints for errors of accelerators that run by an execution provider of onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.errors.extras import extra_hint
from edgekit.runner.errors import ErrorKind
from edgekit.runner.model.accelerator import WEBGPU


def provider_hint(kind: ErrorKind, argv: Sequence[object]) -> str | None:
    """Hint for an error of the runner that was called with `argv`; None where the usual one fits."""
    options = dict(str(word).split("=", 1) for word in argv if "=" in str(word))
    if "provider" in options:
        package, folder = options.get("package", "onnxruntime"), options.get("packages", "FOLDER")
        install = f"pip install --no-deps --target {folder} {package}, then --accelerator-option packages={folder}"
        devices = "name a device that is there by an option of the kind, or --accelerator cpu"
    elif WEBGPU in argv:
        install, devices = f"{extra_hint('webgpu')}; --accelerator cpu runs without it", None
    else:
        return None
    return {"package": install, "library": install, "adapter": devices, "nan": "--accelerator cpu"}.get(kind)
