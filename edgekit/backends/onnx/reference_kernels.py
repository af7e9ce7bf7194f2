"""onnxruntime without graph optimizations as reference: every operator by its own kernel, nothing fused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekit.ir.measurement import Array

if TYPE_CHECKING:
    from edgekit.ir.program import Program
    from edgekit.runner.model.manifest import RunnerManifest
    from edgekit.runner.model.tensors import Call
    from edgekit.runner.runtimes.base import Runtime

KERNELS = "onnxruntime without graph optimizations"
SUSPECT = "the runtime's kernels"


def reference_call(runtime: Runtime, manifest: RunnerManifest, threads: int, program: Program, folder: Path) -> Call:
    """Function that computes the file of `manifest` by these kernels."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(manifest.model), options, providers=["CPUExecutionProvider"])
    names, outputs = [tensor.name for tensor in manifest.inputs], [tensor.name for tensor in manifest.outputs]

    def call(inputs: Sequence[Array]) -> list[Array]:
        return [np.asarray(value) for value in session.run(outputs, dict(zip(names, inputs, strict=True)))]

    return call
