"""Reference kernels: a file computed once more by other kernels of its runtime, to tell whose loss a disagreement is.

Where they agree with the program, the file is right, and the runtime's quick kernels lose it. Where they find what the
quick ones find, the file itself says something else than the program: the converter loses it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from edgekit.backends.artifact_run import run_errors, runner_manifest
from edgekit.errors import LoweringError
from edgekit.ir.artifact import Artifact
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
    from edgekit.runner.runtimes.model import Load

KERNELS: Mapping[str, str] = MappingProxyType(
    {
        "onnx": "onnxruntime without graph optimizations",
        "tflite": "LiteRT's reference kernels",
        "pte": "ExecuTorch's portable kernels",
    }
)
"""Other kernels of each format. ExecuTorch's run the program lowered without a delegate: a delegated part of a file is
for its delegate alone."""


@dataclass(frozen=True)
class ReferenceKernels:
    """Outputs of a file by other kernels, computed only if they are asked for."""

    artifact: Artifact
    program: Program
    columns: Sequence[Column]

    @cached_property
    def outputs(self) -> list[Array] | None:
        """Real values of the outputs, [N, …] each; None where no other kernels run the file."""
        signature, columns = self.artifact.signature, list(self.columns)
        if self.artifact.format not in KERNELS or signature.state or signature.lengths:
            return None
        manifest = runner_manifest(self.artifact)
        try:
            with run_errors(self.artifact), tempfile.TemporaryDirectory() as scratch:
                load = _loads(self.program, Path(scratch))[self.artifact.format]
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
        if self.outputs is None or self.outputs[index].shape != truth.shape:
            return "the converter or its runtime loses it, and no other kernels run the file to tell which"
        kernels, quality_db = KERNELS[self.artifact.format], sqnr_db(truth, self.outputs[index])
        if not quality_db >= least_db:
            return f"by {kernels} it is {quality_db:.1f} dB: the converter loses it, not the runtime's kernels"
        loser = "XNNPACK's delegate" if self.artifact.format == "pte" else "the runtime's kernels"
        return f"by {kernels} it is {quality_db:.1f} dB: {loser} loses it, not the rest of the conversion"


def _loads(program: Program, scratch: Path) -> dict[str, Load]:
    """Functions that load a file of each format with other kernels. scratch: an empty folder."""

    def portable(runtime: Runtime, manifest: RunnerManifest, threads: int) -> Call:
        from edgekit.backends.executorch.portable_lowering import portable_file

        return runtime.load(manifest._replace(model=portable_file(program, scratch)), threads)

    def loads(load: Load) -> Load:
        def explained(runtime: Runtime, manifest: RunnerManifest, threads: int) -> Call:
            with load_errors(manifest):
                return load(runtime, manifest, threads)

        return explained

    return {"onnx": loads(_unoptimized), "tflite": loads(_by_reference), "pte": loads(portable)}


def _unoptimized(_: Runtime, manifest: RunnerManifest, threads: int) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(manifest.model), options, providers=["CPUExecutionProvider"])
    names, outputs = [tensor.name for tensor in manifest.inputs], [tensor.name for tensor in manifest.outputs]

    def call(inputs: Sequence[Array]) -> list[Array]:
        return [np.asarray(value) for value in session.run(outputs, dict(zip(names, inputs, strict=True)))]

    return call


def _by_reference(_: Runtime, manifest: RunnerManifest, threads: int) -> Call:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_REF
    interpreter = Interpreter(str(manifest.model), num_threads=threads, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    places = [detail["index"] for detail in interpreter.get_input_details()]
    results = [detail["index"] for detail in interpreter.get_output_details()]

    def call(inputs: Sequence[Array]) -> list[Array]:
        for place, array in zip(places, inputs, strict=True):
            interpreter.set_tensor(place, array)
        interpreter.invoke()
        return [interpreter.get_tensor(place) for place in results]

    return call
