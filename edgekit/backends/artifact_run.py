"""An artifact in the runner that devices use, before there is a bundle of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from edgekit.backends.free_axes import model_tensor, runner_lengths
from edgekit.errors import LoweringError
from edgekit.ir.artifact import Artifact
from edgekit.runner.errors import RunnerError
from edgekit.runner.model.manifest import ModelState, RunnerManifest


def runner_manifest(artifact: Artifact, folder: Path | None = None) -> RunnerManifest:
    """Manifest of an artifact for the runner. folder: holds the initial states; None runs without state."""
    signature = artifact.signature
    pairs = signature.state if folder else ()
    return RunnerManifest(
        artifact.format,
        artifact.entry,
        artifact.options,
        tuple(map(model_tensor, signature.inputs)),
        tuple(map(model_tensor, signature.outputs)),
        0.0,
        lengths=runner_lengths(signature),
        state=tuple(
            ModelState(pair.input, pair.output, folder / pair.initial if folder and pair.initial else None, pair.append)
            for pair in pairs
        ),
        prefill=signature.prefill if folder else (),
    )


@contextlib.contextmanager
def run_errors(artifact: Artifact) -> Iterator[None]:
    """Raise what the runner raises in the block as LoweringError: the artifact was built and does not run."""
    try:
        yield
    except (RunnerError, RuntimeError, ValueError, TypeError) as error:
        raise LoweringError(f"'{artifact.entry.name}' was built but does not run: {error}") from error
