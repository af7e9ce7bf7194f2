"""ONNX backend for onnxruntime, and for TensorRT through it: Q/DQ form, int8 weights in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from edgekit.backends import converter_recipes
from edgekit.errors import LoweringError, Misfit
from edgekit.ir.artifact import Artifact, Format
from edgekit.ir.signature import Signature
from edgekit.runner.model.accelerator import QNN_HTP
from edgekit.specs.compression import Quantize
from edgekit.specs.target import Precision, RuntimeSpec, Target

if TYPE_CHECKING:
    from onnx import GraphProto

    from edgekit.ir.program import Program
    from edgekit.passes.quantization.quantize import Quantization

FILE = "model.onnx"


@dataclass(frozen=True)
class Onnx:
    """Backend for Jetson, and the second or third choice for other targets."""

    name: ClassVar[str] = "onnx"
    format: ClassVar[Format] = "onnx"
    packages: ClassVar[tuple[str, ...]] = ("torch", "torchao", "onnx", "onnx-ir", "onnxscript", "onnxruntime")
    preload: ClassVar[tuple[str, ...]] = (
        "torch.onnx",
        "onnxscript",
        "onnx",
        "onnxruntime",
        "torch.export",
        "torch.export.pt2_archive",
        "onnxscript.function_libs.torch_lib.ops",
    )

    refuses: ClassVar[Mapping[Precision, str]] = {
        "static-int16": "onnxruntime's integer kernels take activations of 8 bits only"
    }
    at_lowering: ClassVar[frozenset[Precision]] = frozenset({"float16", "dynamic-int8", "weight-int8", "weight-int4"})

    def check_recipe(self, recipe: Quantize, runtime: RuntimeSpec) -> None:
        """Raise Misfit for options that onnxruntime's kernels lack."""
        if recipe.precision in self.at_lowering:
            _check_recipe(recipe)

    def quantization(self, recipe: Quantize, runtime: RuntimeSpec) -> Quantization:
        """Q/DQ quantizer for activations of the type that `runtime` names; weights are folded into integers.

        Recurrent layers are quantized as the model is lowered, but for TensorRT.
        """
        import torch

        from edgekit.backends.onnx.quantizer import OnnxQuantizer
        from edgekit.passes.quantization.quantize import Quantization

        if recipe.dynamic and "tensorrt" in runtime.delegates:
            raise Misfit(
                "TensorRT has no layer that rounds its input by the range of each",
                hint=f"quantize.overrides: 'float32' in place of 'dynamic-int8' for '{recipe.dynamic[0]}'",
            )
        # TensorRT refuses int32 in Q/DQ, while onnxruntime fuses no kernel with a bias in float.
        wide = recipe.precision == "static-int16"
        quantizer = OnnxQuantizer(
            recipe,
            "uint16" if wide else runtime.activations,
            integer_bias="tensorrt" not in runtime.delegates,
            integer_outputs=QNN_HTP in runtime.delegates,
        )
        aten, is_cpu = torch.ops.aten, "tensorrt" not in runtime.delegates
        cells = frozenset({aten.gru.input, aten.lstm.input} if is_cpu else ())
        return Quantization(quantizer, True, cells, dynamic_attention=is_cpu and QNN_HTP not in runtime.delegates)

    def lower(
        self, program: Program, target: Target, runtime: RuntimeSpec, out: Path, recipe: Quantize | None = None
    ) -> Artifact:
        """Write `model.onnx` into `out`, load it with onnxruntime, and read its facts off the optimized graph.

        The same program gives the same bytes. The host's CPU stands in for every execution provider of the target:
        operators count as delegated if `cpu` is one of them. If TensorRT is the first, the placement is a claim by its
        documented rules, read off the file. Raises Misfit for a recipe that it cannot carry out,
        UnsupportedOperator or LoweringError.
        """
        import onnx

        from edgekit.backends.onnx import hexagon, tensorrt
        from edgekit.backends.onnx.export import to_onnx
        from edgekit.backends.onnx.external_weights import write_model
        from edgekit.backends.onnx.placement import read
        from edgekit.backends.onnx.recurrent import quantize_recurrent
        from edgekit.backends.onnx.scratch_weights import read_into, scratch_weights
        from edgekit.backends.onnx.weight_compression import UNFOLD, compress_weights
        from edgekit.backends.onnx.weights import weights
        from edgekit.frontend.allocator import page_out
        from edgekit.passes.fixed_layers import fixed_layers

        if recipe:
            self.check_recipe(recipe, runtime)
            program = converter_recipes.with_integer_tables(program, recipe)
        if program.signature.lengths and tensorrt.NAME in runtime.delegates:
            raise Misfit(
                f"TensorRT builds its engine for one length, the project leaves '{program.signature.lengths[0]}' free",
                hint=f"state one length under [inputs], such as {program.signature.lengths[0].most}",
            )
        path = out / FILE
        with scratch_weights(program, out) as scratch:
            kept = hexagon.KERNELS if QNN_HTP in runtime.delegates else frozenset[str]()
            model = to_onnx(program, tensorrt.NAME not in runtime.delegates, scratch, kept)
            if scratch:
                page_out(program.exported)
            if recipe:
                model = compress_weights(model, recipe)
            elif (
                tensorrt.NAME not in runtime.delegates
                and (skipped := converter_recipes.static_skip(program)) is not None
            ):
                quantize_recurrent(read_into(model), skipped)
            if QNN_HTP in runtime.delegates:
                hexagon.rewrite(model)
            fixed = fixed_layers(program.exported)
            stored = weights(model.graph).without(fixed.elements)
            files = write_model(model, path)
        expanded = recipe is not None and recipe.mode != "float16"
        options = (UNFOLD,) if expanded else _session_options(model.graph, target, runtime)
        signature, placement = read(path, options, "cpu" if "cpu" in runtime.delegates else None, program.signature)
        _check_signature(signature, program.signature.without_buckets())
        artifact = Artifact(
            files,
            "onnx",
            signature,
            placement,
            stored.integer_share,
            options,
            weight_bytes=stored.bytes,
            fixed_macs=fixed.macs,
        )
        if program.prefill:
            if tensorrt.NAME in runtime.delegates:
                raise Misfit(
                    "TensorRT would build an engine for each entry point of a decoder",
                    hint=f"leave 'prefill' out, or take a target without {tensorrt.NAME}",
                )
            artifact = replace(artifact, files=_with_prefill(path, program, recipe))
        if runtime.delegates[:1] == (tensorrt.NAME,):
            whole = onnx.load(path) if len(files) > 1 else model
            return replace(artifact, placement=tensorrt.placement(whole), basis=tensorrt.BASIS)
        return artifact


def _with_prefill(path: Path, program: Program, recipe: Quantize | None) -> tuple[Path, ...]:
    """Write a file for every entry point of a decoder, the model's own again, and one with the weights of all."""
    import onnx

    from edgekit.backends.onnx.export import to_onnx
    from edgekit.backends.onnx.external_weights import WEIGHTS, with_external_weights
    from edgekit.backends.onnx.weight_compression import compress_weights
    from edgekit.runner.model.entry_points import PREFILL

    exported = [to_onnx(entry) for entry in program.prefill]
    graphs = [onnx.load(path), *(compress_weights(each, recipe) if recipe else each for each in exported)]
    names = (path.name, *(PREFILL.format(count) + path.suffix for count in program.signature.prefill))
    contents, weights = with_external_weights(graphs)
    paths = tuple(path.with_name(name) for name in (*names, WEIGHTS))
    for each, content in zip(paths, (*contents, weights), strict=True):
        each.write_bytes(content)
    return paths


def _check_recipe(recipe: Quantize) -> None:
    converter_recipes.check(recipe)
    grouped = recipe.weights.granularity == "per-group"
    if recipe.precision == "weight-int4" and not grouped:
        raise Misfit(
            "onnxruntime has int4 weights with a scale for each group only",
            hint="quantize.weights.granularity = 'per-group'",
        )
    if recipe.precision == "weight-int8" and grouped:
        raise Misfit(
            "onnx has scales per group for int4 weights only", hint="quantize.weights.granularity = 'per-channel'"
        )
    if grouped and (recipe.weights.group < 16 or recipe.weights.group.bit_count() != 1):
        raise Misfit(
            f"onnxruntime's int4 kernels take groups of 16, 32, 64 …, not of {recipe.weights.group}",
            hint="quantize.weights.group = 32",
        )


def _check_signature(loaded: Signature, expected: Signature) -> None:
    for verb, actual, wanted in (
        ("takes", loaded.inputs, expected.inputs),
        ("gives", loaded.outputs, expected.outputs),
    ):
        if actual != wanted:
            described = [", ".join(map(str, specs)) for specs in (actual, wanted)]
            raise LoweringError(f"the file {verb} {described[0]}, the program {described[1]}")


def _session_options(graph: GraphProto, target: Target, runtime: RuntimeSpec) -> tuple[tuple[str, str], ...]:
    """Session options with which onnxruntime, here and on the device, runs the file as intended."""
    from edgekit.backends.onnx.weights import products_are_integer

    if not any(node.op_type == "DequantizeLinear" for node in graph.node):
        return ()
    options = []
    # On Arm it fuses int8 activations by itself; on x86 only uint8 ones, unless told to.
    if target.cpu.arch == "aarch64" and runtime.activations == "int8":
        options.append(("session.qdqisint8allowed", "1"))
    # Else it quantizes float weights between Q and DQ by itself, one scale a tensor: skipped modules among them. Biases
    # too, to int32, before TensorRT is given the graph: it refuses them.
    if not products_are_integer(graph) or "tensorrt" in runtime.delegates:
        options.append(("optimization.disable_specified_optimizers", "WeightBiasQuantization"))
    return tuple(options)
