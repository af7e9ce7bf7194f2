"""Verb `selftest`: verify that the model of a slot reproduces its golden outputs on this device."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RunnerError
from ..model.manifest import ModelTensor, RunnerManifest, read_manifest
from ..model.tensors import read_columns, real, row
from ..processing.golden import golden_digest
from ..runtimes.model import LoadedModel

if TYPE_CHECKING:
    from ..model.tensors import Array


def selftest(slot: Path, threads: int) -> dict[str, Any]:
    """Run the golden inputs: `passed`, and by output the differences `worst` and `allowed`, in real units.

    `worst` is null if it is not finite. Raises RunnerError, also if processing gives other pixels here.
    """
    manifest = read_manifest(slot)
    _check_processing(manifest)
    columns = read_columns(slot / "golden" / "inputs", manifest.inputs)
    golden = read_columns(slot / "golden" / "outputs", manifest.outputs)
    model = LoadedModel.load(manifest, threads, row(columns, 0))
    stored = model.outputs(columns)
    passed, outputs = True, {}
    for k, tensor in enumerate(manifest.outputs):
        worst, allowed = _difference(stored[k], golden[k], tensor, manifest.tolerance)
        # NaN is not below anything: it fails.
        passed = passed and worst <= allowed
        outputs[tensor.name] = {"worst": worst if math.isfinite(worst) else None, "allowed": allowed}
    providers = {name: model.loaded[name] for name in ("provider", "planned_provider")}
    return {"passed": passed, "outputs": outputs, **providers}


def _check_processing(manifest: RunnerManifest) -> None:
    """Raise RunnerError (run) if the steps of an input make other pixels here than where the bundle was built."""
    for name, processing in manifest.processing.items():
        if golden_digest(processing.steps, processing.channels) != processing.golden:
            raise RunnerError("run", f"the processing of '{name}' gives other pixels here than where it was built")


def _difference(stored: Array, golden: Array, tensor: ModelTensor, tolerance: float) -> tuple[float, float]:
    """Largest difference from the golden output, and the largest that the tolerance allows, in real units."""
    candidate, reference = (real(array, tensor).astype(np.float64) for array in (stored, golden))
    if not np.isfinite(reference).all():
        raise RunnerError("data", f"the golden output '{tensor.name}' is not finite")
    return float(np.abs(candidate - reference).max()), tolerance * float(reference.max() - reference.min())
