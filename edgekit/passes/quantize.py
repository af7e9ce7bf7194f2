"""Post-training static quantization, as PT2E does it: prepare, calibrate, convert."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from edgekit.errors import PassError
from edgekit.passes.base import Pass
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torchao.quantization.pt2e.quantizer import Quantizer

    from edgekit.passes.base import Sample


@dataclass(frozen=True)
class Quantization:
    """What a backend asks of the pass."""

    quantizer: Quantizer
    fold_weights: bool
    """True stores integer weights (ExecuTorch); False leaves q(w) for the converter (LiteRT)."""


@dataclass(frozen=True)
class QuantizePass(Pass):
    """The same pass for every backend: the recipe says what, the backend's `Quantization` says where."""

    name: ClassVar[str] = "quantize"

    recipe: Quantize
    quantization: Quantization
    samples: Sequence[Sample]

    def requires(self, exported: ExportedProgram) -> None:
        if not self.samples:
            raise PassError(
                "static quantization needs a calibration set", hint="state [data] calibration in edgekit.toml"
            )

    def rewrite(self, exported: ExportedProgram) -> ExportedProgram:
        import torch
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        with warnings.catch_warnings():
            # torchao warns of its own deprecated observer attributes at every conversion.
            warnings.simplefilter("ignore")
            prepared = prepare_pt2e(exported.module(), self.quantization.quantizer)
            with torch.no_grad():
                for sample in self.samples:
                    prepared(*sample)
            converted = convert_pt2e(prepared, fold_quantize=self.quantization.fold_weights)
            return torch.export.export(converted, tuple(self.samples[0]))

    def ensures(self, exported: ExportedProgram) -> None:
        if not any("dequantize" in str(node.target) for node in exported.graph.nodes):
            raise PassError("nothing was quantized", hint="check the patterns of [quantize] skip in the profile")

    def options(self) -> tuple[tuple[str, str], ...]:
        recipe = self.recipe
        return (
            ("mode", recipe.mode),
            ("weights", f"{recipe.weights.dtype} {recipe.weights.granularity}"),
            ("activations", f"{recipe.activations.dtype} {recipe.activations.granularity}"),
            ("symmetric", str(recipe.activations.symmetric).lower()),
            ("observer", recipe.activations.observer),
            ("samples", str(len(self.samples))),
            ("skip", " ".join(recipe.kept)),
        )
