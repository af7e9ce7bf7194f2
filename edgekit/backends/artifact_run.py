"""An artifact in the runner that devices use, before there is a bundle of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from edgekit.errors import LoweringError
from edgekit.ir.artifact import Artifact
from edgekit.ir.signature import TensorSpec
from edgekit.runner.errors import RunnerError
from edgekit.runner.model.manifest import ModelState, ModelTensor, RunnerManifest


def runner_manifest(artifact: Artifact, folder: Path | None = None) -> RunnerManifest:
    """Manifest of an artifact for the runner. folder: holds the initial states; None runs without state."""
    signature = artifact.signature
    pairs = signature.state if folder else ()
    return RunnerManifest(
        artifact.format,
        artifact.files[0],
        artifact.options,
        tuple(map(_tensor, signature.inputs)),
        tuple(map(_tensor, signature.outputs)),
        0.0,
        state=tuple(
            ModelState(pair.input, pair.output, folder / pair.initial if folder and pair.initial else None)
            for pair in pairs
        ),
    )


@contextlib.contextmanager
def run_errors(artifact: Artifact) -> Iterator[None]:
    """Raise what the runner raises in the block as LoweringError: the artifact was built and does not run."""
    try:
        yield
    except (RunnerError, RuntimeError, ValueError, TypeError) as error:
        raise LoweringError(f"'{artifact.files[0].name}' was built but does not run: {error}") from error


def _tensor(spec: TensorSpec) -> ModelTensor:
    scale, zero_point = (spec.affine.scale, spec.affine.zero_point) if spec.affine else (None, 0)
    return ModelTensor(spec.name, spec.dtype, spec.shape, scale, zero_point)
