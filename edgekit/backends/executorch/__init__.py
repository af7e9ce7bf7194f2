"""ExecuTorch with the XNNPACK delegate: Program → `model.pte`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from edgekit.errors import Misfit
from edgekit.ir.artifact import Artifact, Format
from edgekit.specs.compression import Quantize
from edgekit.specs.target import Precision, Runtime, Target

if TYPE_CHECKING:
    from edgekit.ir.program import Program
    from edgekit.passes.quantize import Quantization

FILE = "model.pte"


@dataclass(frozen=True)
class ExecuTorch:
    """Lowers with `XnnpackPartitioner`; what XNNPACK does not take runs on ExecuTorch's portable kernels."""

    name: ClassVar[str] = "executorch"
    format: ClassVar[Format] = "pte"
    packages: ClassVar[tuple[str, ...]] = ("executorch", "torch", "torchao", "flatbuffers")
    # The quantizer's module registers `quantized_decomposed`, without which a quantized program cannot be loaded.
    preload: ClassVar[tuple[str, ...]] = (
        "executorch.backends.xnnpack.quantizer.xnnpack_quantizer",
        "executorch.backends.xnnpack.partition.xnnpack_partitioner",
        "executorch.exir",
        "executorch.runtime",
        "edgekit.backends.executorch.convert",
        "edgekit.backends.executorch.placement",
    )

    refuses: ClassVar[Mapping[Precision, str]] = dict.fromkeys(
        ("float16", "static-int16", "dynamic-int8", "weight-int8", "weight-int4"), "edgekit does not lower to it yet"
    )

    def quantization(self, recipe: Quantize, runtime: Runtime) -> Quantization:
        """XNNPACK's quantizer, set up as the recipe says. Raises Misfit for what its integer kernels lack."""
        from edgekit.backends.executorch.quantizer import quantizer
        from edgekit.passes.quantize import Quantization

        if not recipe.weights.symmetric:
            raise Misfit(
                "xnnpack's integer kernels take symmetric weights only", hint="set quantize.weights.symmetric = true"
            )
        if runtime.activations != "int8":
            raise Misfit(
                f"xnnpack's kernels take int8 activations, the target's runtime states {runtime.activations}",
                hint="set activations = 'int8' in the target's executorch runtime",
            )
        return Quantization(quantizer(recipe), fold_weights=True)

    def lower(self, program: Program, target: Target, runtime: Runtime, out: Path) -> Artifact:
        """Write `model.pte` into `out`, load it, and read its facts off the file as loaded.

        Raises Misfit for delegates other than xnnpack, UnsupportedOperator, or LoweringError.
        """
        from edgekit.backends.executorch.convert import convert
        from edgekit.backends.executorch.loaded import load_signature
        from edgekit.backends.executorch.placement import read

        if runtime.delegates != ("xnnpack",):
            raise Misfit(
                f"executorch runtime of '{target.id}' states delegates {', '.join(runtime.delegates)}",
                hint="the executorch backend knows one: delegates = ['xnnpack']",
            )
        path = out / FILE
        path.write_bytes(convert(program))
        facts = read(path.read_bytes())
        signature = load_signature(path, program, facts.placement)
        return Artifact((path,), self.format, signature, facts.placement, facts.integer)
