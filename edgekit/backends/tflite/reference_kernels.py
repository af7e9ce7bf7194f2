"""LiteRT's reference kernels, without its XNNPACK delegate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.ir.measurement import Array

if TYPE_CHECKING:
    from edgekit.ir.program import Program
    from edgekit.runner.model.manifest import RunnerManifest
    from edgekit.runner.model.tensors import Call
    from edgekit.runner.runtimes.base import Runtime

KERNELS = "LiteRT's reference kernels"
SUSPECT = "the runtime's kernels"


def reference_call(runtime: Runtime, manifest: RunnerManifest, threads: int, program: Program, folder: Path) -> Call:
    """Function that computes the file of `manifest` by these kernels."""
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
