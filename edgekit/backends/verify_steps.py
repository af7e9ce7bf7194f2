"""Verification of an artifact with state: single steps against its program, and whole sequences for the device."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgekit.backends.artifact_run import run_errors, runner_manifest
from edgekit.ir.artifact import Artifact
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.runner.runtimes.model import LoadedModel
from edgekit.samples import Samples
from edgekit.specs.state import FOLDER


def verify_steps(
    artifact: Artifact, program: Program, samples: Samples, folder: Path
) -> tuple[list[Array], list[Array], list[Array]]:
    """Run program and artifact on sequences; the initial states are written to `folder/state`.

    Returns outputs of single steps, [steps, …] each: the program's, and the artifact's from the program's state; then
    the artifact's reported outputs with its own state, [N, T, …] each. All as stored. Raises LoweringError if the
    artifact does not run.
    """
    from edgekit.frontend.sequences import run_steps

    signature = artifact.signature
    for name, state in samples.initial.items():
        (folder / FOLDER).mkdir(exist_ok=True)
        np.save(folder / FOLDER / f"{name}.npy", state, allow_pickle=False)
    steps = list(run_steps(program.exported.module(), program.signature, samples))
    arguments = [[tensor.numpy() for tensor in step] for step, _ in steps]
    expected = [[tensor.numpy() for tensor in outputs] for _, outputs in steps]
    columns = [samples.inputs[spec.name] for spec in signature.sampled]
    with run_errors(artifact):
        single = LoadedModel.load(runner_manifest(artifact), 1, arguments[0])
        outputs = [single.call(step) for step in arguments]
        carrying = LoadedModel.load(runner_manifest(artifact, folder), 1, [column[0, :1] for column in columns])
        answers = carrying.outputs(columns)
    reference, candidate = ([np.stack(column) for column in zip(*rows, strict=True)] for rows in (expected, outputs))
    return reference, candidate, answers
