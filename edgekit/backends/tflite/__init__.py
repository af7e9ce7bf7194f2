"""TFLite backend: a program becomes a .tflite file by litert-torch, and is read back through the LiteRT interpreter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from edgekit.backends import converter_recipes
from edgekit.errors import Misfit
from edgekit.ir.artifact import Artifact, Format
from edgekit.ir.program import Program
from edgekit.specs.compression import Quantize
from edgekit.specs.target import Precision, RuntimeSpec, Target

if TYPE_CHECKING:
    from edgekit.passes.quantization.quantize import Quantization


@dataclass(frozen=True)
class TFLite:
    """Backend for LiteRT (TensorFlow Lite): CPU kernels, most of them XNNPACK's."""

    name: ClassVar[str] = "tflite"
    format: ClassVar[Format] = "tflite"
    packages: ClassVar[tuple[str, ...]] = (
        "torch",
        "torchao",
        "litert-torch",
        "litert-converter",
        "ai-edge-litert",
        "ai-edge-quantizer",
        "flatbuffers",
    )
    preload: ClassVar[tuple[str, ...]] = ("litert_torch", "ai_edge_litert.interpreter")

    refuses: ClassVar[Mapping[Precision, str]] = {
        "static-int16": "LiteRT runs int16 activations on its reference kernels, 27 times slower than float"
    }
    at_lowering: ClassVar[frozenset[Precision]] = frozenset({"float16", "dynamic-int8", "weight-int8", "weight-int4"})

    def check_recipe(self, recipe: Quantize, runtime: RuntimeSpec) -> None:
        """Raise Misfit for options that LiteRT's kernels or its converter lack."""
        if recipe.precision in self.at_lowering:
            _check_recipe(recipe)
            return
        if not recipe.weights.symmetric:
            raise Misfit(
                "LiteRT's int8 kernels take weights with zero point 0 only",
                hint="set quantize.weights.symmetric = true in the profile",
            )
        if runtime.activations != "int8":
            raise Misfit(
                f"LiteRT's quantized kernels take int8 activations, not {runtime.activations}",
                hint='set activations = "int8" under the tflite [[runtime]] of the target',
            )

    def quantization(self, recipe: Quantize, runtime: RuntimeSpec) -> Quantization:
        """Quantizer for int8 weights and activations, weights not folded.

        Raises Misfit for what LiteRT's kernels cannot run.
        """
        self.check_recipe(recipe, runtime)
        from edgekit.backends.tflite.quantizer import LiteRTQuantizer
        from edgekit.passes.quantization.quantize import Quantization

        return Quantization(LiteRTQuantizer(recipe), fold_weights=False)

    def lower(
        self, program: Program, target: Target, runtime: RuntimeSpec, out: Path, recipe: Quantize | None = None
    ) -> Artifact:
        """Write `out/model.tflite`, load it in LiteRT's interpreter, and read signature and placement off it.

        Raises Misfit for a recipe that LiteRT has no kernels for, UnsupportedOperator if it lacks an operator,
        LoweringError for anything else the converter refuses.
        """
        from edgekit.backends.buckets import static_programs
        from edgekit.backends.free_axes import with_free_axes
        from edgekit.backends.tflite import convert, interpreter
        from edgekit.backends.tflite.merge import merged
        from edgekit.passes.fixed_layers import fixed_layers
        from edgekit.runner.model.entry_points import DECODE, PREFILL
        from edgekit.runner.model.lengths import GRAPH

        if recipe:
            _check_recipe(recipe)
            program = converter_recipes.with_integer_tables(program, recipe)
        path = out / "model.tflite"
        fixed = fixed_layers(program.exported)
        if program.prefill:
            graphs = [convert.flatbuffer(entry, recipe, out) for entry in program.entries]
            keys = [DECODE, *map(PREFILL.format, program.signature.prefill)]
            path.write_bytes(merged(graphs, keys))
            return interpreter.artifact(path, runtime, fixed)
        if not program.signature.lengths:
            path.write_bytes(convert.flatbuffer(program, recipe, out))
            return interpreter.artifact(path, runtime, fixed)
        # The greatest bucket is the primary graph, off which the facts are read.
        graphs = [convert.flatbuffer(static, recipe, out) for static in static_programs(program)][::-1]
        keys = [GRAPH.format(number) for number in range(len(graphs))][::-1]
        path.write_bytes(merged(graphs, keys))
        artifact = interpreter.artifact(path, runtime, fixed)
        return replace(artifact, signature=with_free_axes(artifact.signature, program.signature, buckets=True))


GROUPS = (32, 64, 128, 256)
"""Group sizes of LiteRT's int4 kernels: numbers of weights that may share a scale."""


def _check_recipe(recipe: Quantize) -> None:
    converter_recipes.check(recipe)
    weights = recipe.weights
    if weights.granularity != "per-group":
        return
    if weights.dtype == "int8":
        raise Misfit(
            "LiteRT has scales per group for int4 weights only", hint="quantize.weights.granularity = 'per-channel'"
        )
    if weights.group not in GROUPS:
        raise Misfit(
            f"LiteRT's int4 kernels take groups of {', '.join(map(str, GROUPS))}, not of {weights.group}",
            hint="quantize.weights.group = 32",
        )
