"""TensorRT engine of a flashed bundle: time limits of its build on the device, and the remark if there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.devices.protocol import Engine, SelfTest
from edgekit.runner.layout import PLAN

if TYPE_CHECKING:
    from edgekit.bundle.manifest import Manifest

BUILD_S = 1800.0
"""Time limit in seconds: TensorRT times many kernels of every layer, tens of minutes for a large model on a Jetson."""
SPARE_S = 60.0
"""Seconds that the runner has beside trtexec, to report that the limit was reached."""
BUILDING_S = BUILD_S + SPARE_S


def has_plan(manifest: Manifest) -> bool:
    """Tell whether the bundle has an engine plan."""
    return any(file.path == PLAN for file in manifest.files)


def note(engine: Engine | None, result: SelfTest | None) -> str | None:
    """Remark for people that the model does not run on the provider that it was built for; None if it does."""
    if engine is None or result is None or result.provider == result.planned_provider:
        return None
    why = engine.why or "its Python has neither onnxruntime-gpu nor tensorrt to run the engine with"
    return f"it runs on '{result.provider}', not on '{result.planned_provider}': {why}"
