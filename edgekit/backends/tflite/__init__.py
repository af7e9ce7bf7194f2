"""Program → .tflite, by litert-torch, read back through the LiteRT interpreter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from edgekit.errors import Misfit
from edgekit.ir.artifact import Artifact, Format
from edgekit.ir.program import Program
from edgekit.specs.compression import Quantize
from edgekit.specs.target import Precision, Runtime, Target

if TYPE_CHECKING:
    from edgekit.passes.quantize import Quantization


@dataclass(frozen=True)
class TFLite:
    """LiteRT (TensorFlow Lite): CPU kernels, most of them XNNPACK's."""

    name: ClassVar[str] = "tflite"
    format: ClassVar[Format] = "tflite"
    packages: ClassVar[tuple[str, ...]] = (
        "torch",
        "torchao",
        "litert-torch",
        "litert-converter",
        "ai-edge-litert",
        "flatbuffers",
    )
    preload: ClassVar[tuple[str, ...]] = ("litert_torch", "ai_edge_litert.interpreter")

    refuses: ClassVar[Mapping[Precision, str]] = dict.fromkeys(
        ("float16", "static-int16", "dynamic-int8", "weight-int8", "weight-int4"), "edgekit does not lower to it yet"
    )

    def quantization(self, recipe: Quantize, runtime: Runtime) -> Quantization:
        """int8 weights and activations, weights unfolded. Raises Misfit for what LiteRT's int8 kernels cannot run."""
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
        from edgekit.backends.tflite.quantizer import LiteRTQuantizer
        from edgekit.passes.quantize import Quantization

        return Quantization(LiteRTQuantizer(recipe), fold_weights=False)

    def lower(self, program: Program, target: Target, runtime: Runtime, out: Path) -> Artifact:
        """Write `out/model.tflite`, load it in LiteRT's interpreter, and read signature and placement off it.

        Raises UnsupportedOperator if LiteRT lacks an operator, LoweringError for anything else the converter refuses.
        """
        from edgekit.backends.tflite import convert, loaded

        path = out / "model.tflite"
        path.write_bytes(convert.flatbuffer(program))
        return loaded.artifact(path, runtime)
