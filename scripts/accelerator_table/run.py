"""Runs of lowered files on an accelerator beside the CPU, all of one kind in one process.

    python -m scripts.accelerator_table.run KIND SAMPLES FOLDER… -- NAME=VALUE…

prints a line of JSON for each folder: operators taken and SQNR in dB, or the kind of the error and its message. A
folder with the float network's outputs, `float/<index>.npy`, gets the SQNR of both from these, too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

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
    """Figures of one file: `taken`, `operators`, `left` and `sqnr_db`, or `failed` and `error`.

    With the float network's outputs, `there_db` and `cpu_db` as well: those of the output where the accelerator loses
    most against the CPU.
    """
    artifact = load_artifact(folder)
    (folder / "manifest.json").touch()  # of a slot: kept kernels depend on it
    manifest = runner_manifest(artifact)
    columns = read_columns(samples, [model_tensor(spec) for spec in artifact.signature.inputs])

    def answers(model: LoadedModel) -> list[Array]:
        return [
            dequantize(stored, spec.affine.scale, spec.affine.zero_point) if spec.affine else stored
            for stored, spec in zip(model.outputs(list(columns)), artifact.signature.outputs, strict=True)
        ]

    expected = answers(LoadedModel.load(manifest, 1, row(columns, 0)))
    try:
        model = LoadedModel.load(manifest._replace(accelerator=accelerator_of(kind, options)), 1, row(columns, 0))
        given = answers(model)
    except RunnerError as error:
        return {"failed": error.kind, "error": str(error)}
    facts = model.loaded["accelerator"]
    figures = {name: facts[name] for name in ("taken", "operators", "left")}
    return {**figures, "sqnr_db": min(map(_decibel, expected, given)), **_from_float(folder / "float", expected, given)}


def _from_float(folder: Path, expected: Sequence[Array], given: Sequence[Array]) -> dict[str, float]:
    """SQNR from the float network's outputs in `folder` in dB; nothing without them."""
    pairs = []
    for index, (cpu, there) in enumerate(zip(expected, given, strict=True)):
        file = folder / f"{index}.npy"
        if file.is_file() and (truth := np.load(file)).dtype.kind == "f":
            pairs.append((_decibel(truth, there), _decibel(truth, cpu)))
    worst = min(pairs, key=lambda pair: pair[0] - pair[1], default=None)
    return {"there_db": worst[0], "cpu_db": worst[1]} if worst else {}


def _decibel(signal: Array, noisy: Array) -> float:
    """SQNR in dB; 999 for equal arrays, as JSON has no infinity."""
    return min(sqnr_db(signal, noisy), 999.0)


def main(words: Sequence[str]) -> None:
    """Measure every folder that is named, and print each as soon as it is known."""
    kind, samples, *rest = words
    end = rest.index("--")
    for folder in rest[:end]:
        print(json.dumps(measured(Path(folder), Path(samples), kind, rest[end + 1 :])), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
