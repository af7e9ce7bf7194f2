"""Runs of lowered files on an accelerator beside the CPU, all of one kind in one process.

    python -m scripts.accelerator_table.run KIND SAMPLES FOLDER… -- NAME=VALUE…

prints a line of JSON for each folder: operators taken and SQNR in dB, or the kind of the error and its message.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.backends.artifact_run import runner_manifest
from edgekit.backends.free_axes import model_tensor
from edgekit.backends.store import load_artifact
from edgekit.ir.measurement import Array
from edgekit.ir.sqnr import sqnr_db
from edgekit.runner.errors import RunnerError
from edgekit.runner.model.accelerator import accelerator_of
from edgekit.runner.model.tensors import dequantize, read_columns, row
from edgekit.runner.runtimes.model import LoadedModel


def measured(folder: Path, samples: Path, kind: str, options: Sequence[str]) -> dict[str, Any]:
    """Figures of one file: `taken`, `operators` and `sqnr_db`, or `failed` and `error`."""
    artifact = load_artifact(folder)
    (folder / "manifest.json").touch()  # of a slot: kept kernels depend on it
    manifest = runner_manifest(artifact)
    columns = read_columns(samples, [model_tensor(spec) for spec in artifact.signature.inputs])
    affine = artifact.signature.outputs[0].affine

    def answers(model: LoadedModel) -> Array:
        stored = model.outputs(list(columns))[0]
        return dequantize(stored, affine.scale, affine.zero_point) if affine else stored

    expected = answers(LoadedModel.load(manifest, 1, row(columns, 0)))
    try:
        model = LoadedModel.load(manifest._replace(accelerator=accelerator_of(kind, options)), 1, row(columns, 0))
        quality = sqnr_db(expected, answers(model))
    except RunnerError as error:
        return {"failed": error.kind, "error": str(error)}
    facts = model.loaded["accelerator"]
    return {"taken": facts["taken"], "operators": facts["operators"], "sqnr_db": min(quality, 999.0)}


def main(words: Sequence[str]) -> None:
    """Measure every folder that is named, and print each as soon as it is known."""
    kind, samples, *rest = words
    end = rest.index("--")
    for folder in rest[:end]:
        print(json.dumps(measured(Path(folder), Path(samples), kind, rest[end + 1 :])), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
