"""Verification of a lowering: its file must load, run, and compute what the program computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgekit.backends.artifact_run import run_errors, runner_manifest
from edgekit.backends.verify_steps import verify_steps
from edgekit.errors import Disagreement, FloatDisagreement
from edgekit.ir.artifact import Artifact
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.ir.sqnr import FLOAT_DB, sqnr_db
from edgekit.runner.model.tensors import dequantize
from edgekit.runner.runtimes.model import LoadedModel
from edgekit.samples import Samples
from edgekit.specs.compression import Quantize

HALF_DB = 40.0
"""Least SQNR with weights of 16 bits: 11 bits of precision are 66 dB a weight, and networks may amplify the error."""
INDEX_DB = 40.0
"""Least SQNR of a map of indices: one in ten thousand may flip by the last bit of a float."""
INTEGER_DB = 15.0
"""Least SQNR of integer kernels, which round where the simulation does not; below it they compute something else."""
FAULT = "try another --backend, and report it: the program that the converter was given answers as the network does"
HALF = "take a profile of float32: something in the network is too large or too small for 16 bits"
LOST = "keep more of the model in float: [quantize] skip, or a profile of a higher precision"
INT4_DB = 6.0
"""Least SQNR of int4 weights against a float program: random networks gave 18 to 26 dB, a wrong layout about 0."""


def floor_db(program: Program, recipe: Quantize | None) -> float:
    """Least SQNR, in dB, of a lowered program. recipe: the compression that the converter applied, if any."""
    if recipe is None:
        return INTEGER_DB if any(record.name == "quantize" for record in program.history) else FLOAT_DB
    return {"float16": HALF_DB, "weight-int4": INT4_DB}.get(recipe.precision, INTEGER_DB)


def verify(artifact: Artifact, program: Program, checks: Path, golden: Path, recipe: Quantize | None = None) -> float:
    """Run the artifact on the samples in `checks` ([N, …] in `<input>.npy`) and compare it with the program.

    Of a model with state, single steps are compared, each from the program's state: an error cannot add up. Inputs and
    outputs, as stored, are written to `golden/inputs` and `golden/outputs`: the device must reproduce them. recipe: the
    compression that the backend applied during lowering, if any. Returns the worst output's SQNR in dB. Raises
    LoweringError if the file does not load or run, Disagreement if its outputs differ.
    """
    columns = [np.load(checks / f"{spec.name}.npy", allow_pickle=False) for spec in program.signature.sampled]
    if program.signature.state:
        reference, candidate, answers = verify_steps(artifact, program, Samples.read(checks), golden.parent)
    else:
        candidate = answers = file_outputs(artifact, columns)
        reference = program_outputs(program, columns)
    floor, qualities = floor_db(program, recipe), []
    expected_names = [spec.name for spec in program.signature.outputs]
    if [spec.name for spec in artifact.signature.outputs] != expected_names:
        names = ", ".join(spec.name for spec in artifact.signature.outputs)
        raise Disagreement(f"'{artifact.files[0].name}' gives {names}, the program gives {', '.join(expected_names)}")
    for index, spec in enumerate(artifact.signature.outputs):
        expected, stored = reference[index], candidate[index]
        got = dequantize(stored, spec.affine.scale, spec.affine.zero_point) if spec.affine else stored
        quality = sqnr_db(expected, got) if expected.shape == got.shape else -np.inf
        qualities.append(quality)
        least = floor if expected.dtype.kind == "f" else min(floor, INDEX_DB)
        if not quality >= least:
            raise _disagreement(f"output '{spec.name}' of '{artifact.files[0].name}'", quality, least, recipe)
    for stored, spec in zip(answers, artifact.signature.reported, strict=True):
        _save(golden / "outputs" / f"{spec.name}.npy", stored)
    for column, spec in zip(columns, artifact.signature.sampled, strict=True):
        _save(golden / "inputs" / f"{spec.name}.npy", column)
    return float(min(qualities))


def _disagreement(output: str, quality_db: float, least_db: float, recipe: Quantize | None) -> Disagreement:
    kind = FloatDisagreement if least_db == FLOAT_DB else Disagreement
    hint = FAULT if recipe is None else HALF if recipe.mode == "float16" else LOST
    return kind(f"{output} is {quality_db:.1f} dB from the program, at least {least_db:.0f} dB was expected", hint=hint)


def file_outputs(artifact: Artifact, columns: list[Array]) -> list[Array]:
    """Outputs of the artifact in the device's own runner, [N, …] each, as stored."""
    with run_errors(artifact):
        return LoadedModel.load(runner_manifest(artifact), 1, [column[:1] for column in columns]).outputs(columns)


def _save(path: Path, array: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array, allow_pickle=False)


def program_outputs(program: Program, columns: list[Array]) -> list[Array]:
    """Outputs of the program, [N, …] each."""
    import torch
    from torch.utils import _pytree as pytree

    module = program.exported.module()
    with torch.no_grad():
        rows = [
            pytree.tree_leaves(module(*(torch.from_numpy(column[i : i + 1].copy()) for column in columns)))
            for i in range(len(columns[0]))
        ]
    return [torch.cat(outputs).numpy() for outputs in zip(*rows, strict=True)]
