"""Reference kernels: a file computed once more by other kernels of its runtime, to tell whose loss a disagreement is.

Where they agree with the program, the file is right, and the runtime's quick kernels lose it. Where they find what the
quick ones find, the file itself says something else than the program: the converter loses it.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from edgekit import plugins
from edgekit.backends.artifact_run import run_errors, runner_manifest
from edgekit.backends.vendor_trial import module_exists
from edgekit.errors import EdgekitError, LoweringError
from edgekit.ir.artifact import Artifact, Format
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.ir.sqnr import sqnr_db
from edgekit.runner.model.tensors import Column, dequantize, row
from edgekit.runner.runtimes.base import load_errors
from edgekit.runner.runtimes.model import LoadedModel

if TYPE_CHECKING:
    from edgekit.runner.model.manifest import RunnerManifest
    from edgekit.runner.model.tensors import Call
    from edgekit.runner.runtimes.base import Runtime

MODULE = "reference_kernels"
"""Module of a backend's package that may have `reference_call(runtime, manifest, threads, program, folder)`: it returns
the function that computes a file, or its program, by other kernels; `KERNELS`, their name; and `SUSPECT`, whose loss it
is where these are right."""


@dataclass(frozen=True)
class ReferenceKernels:
    """Outputs of a file by other kernels, computed only if they are asked for."""

    artifact: Artifact
    program: Program
    columns: Sequence[Column]

    @cached_property
    def _module(self) -> ModuleType | None:
        return kernels_of(self.artifact.format)

    @cached_property
    def outputs(self) -> list[Array] | None:
        """Real values of the outputs, [N, …] each; None where no other kernels run the file."""
        signature, columns, module = self.artifact.signature, list(self.columns), self._module
        if module is None or signature.state or signature.lengths:
            return None

        with tempfile.TemporaryDirectory() as scratch:

            def load(runtime: Runtime, manifest: RunnerManifest, threads: int) -> Call:
                with load_errors(manifest):
                    call: Call = module.reference_call(runtime, manifest, threads, self.program, Path(scratch))
                    return call

            try:
                with run_errors(self.artifact):
                    manifest = runner_manifest(self.artifact)
                    stored = LoadedModel.load(manifest, 1, row(columns, 0), load).outputs(columns)
            except LoweringError:
                return None
        specs = zip(stored, signature.outputs, strict=True)
        return [
            dequantize(array, spec.affine.scale, spec.affine.zero_point) if spec.affine else array
            for array, spec in specs
        ]

    def blame(self, index: int, truth: Array, least_db: float) -> str:
        """Sentence on who loses an output: the converter, or the runtime's kernels.

        index: place of the output. truth: what a right file computes, [N, …]. least_db: SQNR from which it is right.
        """
        if self._module is None or self.outputs is None or self.outputs[index].shape != truth.shape:
            return "the converter or its runtime loses it, and no other kernels run the file to tell which"
        quality_db = sqnr_db(truth, self.outputs[index])
        told = f"by {self._module.KERNELS} it is {quality_db:.1f} dB"
        if not quality_db >= least_db:
            return f"{told}: the converter loses it, not the runtime's kernels"
        return f"{told}: {self._module.SUSPECT} loses it, not the rest of the conversion"


def kernels_of(file_format: Format) -> ModuleType | None:
    """Module of the reference kernels for files of a format, of the first backend that has some; None without one."""
    for name in plugins.names("backends"):
        try:
            backend = plugins.load("backends", name)
        except EdgekitError:  # another package's, which is not wholly installed: its own builds tell so
            continue
        module = f"{backend.__module__}.{MODULE}"
        if backend.format == file_format and module_exists(module):
            return importlib.import_module(module)
    return None
