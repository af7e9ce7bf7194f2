"""ExecuTorch backend with the XNNPACK delegate: a program becomes `model.pte`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from edgekit.backends import converter_recipes
from edgekit.errors import Misfit
from edgekit.ir.artifact import Artifact, Format
from edgekit.specs.compression import Quantize
from edgekit.specs.target import Precision, RuntimeSpec, Target

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from edgekit.ir.program import Program
    from edgekit.passes.quantization.quantize import Quantization

FILE = "model.pte"
STORED = ("float16", "weight-int8")
"""Precisions for which XNNPACK's serializer writes other weights than those of the program."""
FLOAT_PRODUCTS = frozenset({"BatchMatrixMultiply", "ScaledDotProductAttention"})
"""Products of two activations, for which executorch 1.5.1 hands XNNPACK float32 only (`BMMConfig`)."""


@dataclass(frozen=True)
class ExecuTorch:
    """Backend that partitions for XNNPACK; all other operators run on ExecuTorch's portable kernels."""

    name: ClassVar[str] = "executorch"
    format: ClassVar[Format] = "pte"
    packages: ClassVar[tuple[str, ...]] = ("executorch", "torch", "torchao", "flatbuffers")
    preload: ClassVar[tuple[str, ...]] = (
        "edgekit.backends.executorch.edge_dialect",  # before any other module imports the dialect
        "executorch.backends.xnnpack.quantizer.xnnpack_quantizer",
        "executorch.backends.xnnpack.partition.xnnpack_partitioner",
        "executorch.exir",
        "executorch.runtime",
        "edgekit.backends.executorch.convert",
        "edgekit.backends.executorch.placement",
        "edgekit.backends.executorch.attention_forms",
        "edgekit.backends.executorch.delegable_forms",
        "edgekit.backends.executorch.load_check",
        "edgekit.backends.executorch.partition",
        "edgekit.backends.executorch.weight_storage",
    )

    # As tried with executorch 1.5.1.
    refuses: ClassVar[Mapping[Precision, str]] = {
        "static-int16": "XNNPACK's integer kernels take activations of 8 bits only",
    }
    at_lowering: ClassVar[frozenset[Precision]] = frozenset({"float16", "weight-int8", "weight-int4"})

    def check_recipe(self, recipe: Quantize, runtime: RuntimeSpec) -> None:
        """Raise Misfit for options that XNNPACK's integer kernels lack."""
        if recipe.precision in self.at_lowering:
            converter_recipes.check(recipe)
            _check_granularity(recipe)
            return
        if not recipe.weights.symmetric:
            raise Misfit(
                "xnnpack's integer kernels take symmetric weights only", hint="set quantize.weights.symmetric = true"
            )
        if runtime.activations != "int8":
            raise Misfit(
                f"xnnpack's kernels take int8 activations, the target's runtime states {runtime.activations}",
                hint="set activations = 'int8' in the target's executorch runtime",
            )

    def quantization(self, recipe: Quantize, runtime: RuntimeSpec) -> Quantization:
        """XNNPACK's quantizer for the recipe. Raises Misfit for options that its integer kernels lack."""
        from edgekit.backends.executorch.quantizer import quantizer
        from edgekit.passes.quantization.quantize import Quantization

        self.check_recipe(recipe, runtime)
        if recipe.mode == "dynamic":
            from edgekit.backends.executorch.dynamic_quantization import DynamicQuantizer

            return Quantization(DynamicQuantizer(recipe), fold_weights=True)
        return Quantization(quantizer(recipe), fold_weights=True)

    def lower(
        self, program: Program, target: Target, runtime: RuntimeSpec, out: Path, recipe: Quantize | None = None
    ) -> Artifact:
        """Write `model.pte` into `out`, load it, and read its facts off the file as loaded.

        Raises Misfit for a delegate other than xnnpack or a recipe that it cannot run, UnsupportedOperator, or
        LoweringError.
        """
        if runtime.delegates != ("xnnpack",):
            raise Misfit(
                f"executorch runtime of '{target.id}' states delegates {', '.join(runtime.delegates)}",
                hint="the executorch backend knows one: delegates = ['xnnpack']",
            )
        if recipe:
            self.check_recipe(recipe, runtime)
        from edgekit.backends.executorch.convert import convert_with_places
        from edgekit.backends.executorch.load_check import load_signature
        from edgekit.backends.executorch.placement import read
        from edgekit.passes.fixed_layers import fixed_layers

        if recipe:
            program = _with_smaller_weights(program, recipe)
        path = out / FILE
        converted = convert_with_places(program, recipe if recipe and recipe.precision in STORED else None)
        path.write_bytes(converted.data)
        converted = replace(converted, data=b"")  # as large as the weights
        facts = read(path.read_bytes(), converted.modules)
        signature = load_signature(path, program, facts.placement, converted)
        fixed = fixed_layers(program.exported)
        stored = facts.weights.without(fixed.elements)
        return Artifact(
            (path,),
            self.format,
            signature,
            facts.placement,
            stored.integer_share,
            weight_bytes=stored.bytes,
            fixed_macs=fixed.macs,
            float_products=FLOAT_PRODUCTS,
            fragments=facts.fragments,
        )


def _with_smaller_weights(program: Program, recipe: Quantize) -> Program:
    """Program with smaller tables, and with int4 weights if the recipe has them."""
    if recipe.mode == "float16":
        from edgekit.backends.executorch.half_tables import with_half_tables

        return _each_entry(program, lambda exported: with_half_tables(exported, recipe.kept))
    program = converter_recipes.with_integer_tables(program, recipe)
    if recipe.precision == "weight-int8":
        return program
    from edgekit.backends.executorch.int4_weights import with_int4_weights

    return _each_entry(program, lambda exported: with_int4_weights(exported, recipe))


def _each_entry(program: Program, change: Callable[[ExportedProgram], ExportedProgram]) -> Program:
    prefill = tuple(_each_entry(entry, change) for entry in program.prefill)
    return replace(program, exported=change(program.exported), prefill=prefill)


def _check_granularity(recipe: Quantize) -> None:
    weights = recipe.weights
    if recipe.mode == "float16":
        return
    if weights.dtype == "int8" and weights.granularity != "per-channel":
        raise Misfit(
            "XNNPACK's kernels for int8 weights and float activations take a scale for each channel",
            hint="quantize.weights.granularity = 'per-channel'",
        )
    if weights.granularity == "per-tensor":
        raise Misfit(
            "XNNPACK's int4 kernels take a scale for each channel or group",
            hint="quantize.weights.granularity = 'per-group'",
        )
    if weights.granularity == "per-group" and weights.group % 32:
        raise Misfit(
            f"XNNPACK's int4 kernels take groups of a multiple of 32, not of {weights.group}",
            hint="quantize.weights.group = 32",
        )
