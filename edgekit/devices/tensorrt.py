"""The TensorRT engine of a flashed bundle: built on the device, and what is to be said where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.devices.protocol import Engine, SelfTest
from edgekit.runner.layout import PLAN

if TYPE_CHECKING:
    from edgekit.bundle.manifest import Manifest

BUILD_S = 1800.0
"""TensorRT times many kernels of every layer: a large model takes a Jetson tens of minutes."""
SPARE_S = 60.0
"""For the runner beside trtexec, so that it can still say that the limit was reached."""
BUILDING_S = BUILD_S + SPARE_S


def has_plan(manifest: Manifest) -> bool:
    return any(file.path == PLAN for file in manifest.files)


def note(engine: Engine | None, result: SelfTest | None) -> str | None:
    """What a person must be told: the model does not run on what it was built for."""
    if engine is None or result is None or result.provider == result.planned_provider:
        return None
    why = engine.why or "its Python has neither onnxruntime-gpu nor tensorrt to run the engine with"
    return f"it runs on '{result.provider}', not on '{result.planned_provider}': {why}"
