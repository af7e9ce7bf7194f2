"""Instructions of files on the emulated cortex-a76, as edgekit's runner counts them there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.backends.vendor_trial import stored
from edgekit.ir.artifact import Artifact
from edgekit.ir.signature import TensorSpec
from scripts.benchmark.slots import counted

if TYPE_CHECKING:
    from edgekit.passes.base import Sample

BOARD = "raspberry-pi-5"


def instructions(artifacts: Sequence[Artifact], sample: Sample, scratch: Path) -> list[int]:
    """User-space instructions of one inference of each, on one sample. Raises what the device raises."""
    slots = [_slot(scratch / f"slot-{place}", artifact, sample) for place, artifact in enumerate(artifacts)]
    return counted(slots, BOARD)


def _slot(folder: Path, artifact: Artifact, sample: Sample) -> Path:
    """Folder that the runner takes for a flashed bundle, with the sample in `inputs/`."""
    (folder / "inputs").mkdir(parents=True)
    edges = artifact.signature
    for value, spec in zip(sample, edges.inputs, strict=True):
        np.save(folder / "inputs" / f"{spec.name}.npy", stored(value.numpy(), spec))
    for path in artifact.files:
        shutil.copy(path, folder / path.name)
    manifest = {
        "format": artifact.format,
        "model": [path.name for path in artifact.files],
        "options": artifact.options,
        "signature": {"inputs": list(map(_edge, edges.inputs)), "outputs": list(map(_edge, edges.outputs))},
        "golden": {"tolerance": 1.0},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _edge(spec: TensorSpec) -> dict[str, Any]:
    affine = spec.affine and {"scale": spec.affine.scale, "zero_point": spec.affine.zero_point}
    return {"name": spec.name, "dtype": spec.dtype, "shape": spec.shape, "affine": affine}
