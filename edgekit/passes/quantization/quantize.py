"""Post-training quantization: what a recipe asks for before, then PT2E: prepare, calibrate, convert."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from edgekit.errors import PassError
from edgekit.passes.base import Pass, Rewritten
from edgekit.passes.module_patterns import check_names
from edgekit.passes.quantization.batch_norm_folding import FoldBatchNorm
from edgekit.passes.quantization.calibration_check import distribution_shift
from edgekit.passes.quantization.cross_layer_equalization import Equalize
from edgekit.passes.quantization.smooth_quant import Smooth
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import GraphModule
    from torchao.quantization.pt2e.quantizer import Quantizer

    from edgekit.ir.program import Program
    from edgekit.passes.base import Sample

    Findings = Iterator[tuple[str, str]]

ENOUGH = 128
"""Samples that rounding and bias correction look at, at most: both are means over every position of every sample."""


@dataclass(frozen=True)
class Quantization:
    """What a backend asks of the pass."""

    quantizer: Quantizer
    fold_weights: bool
    """True stores integer weights (ExecuTorch); False leaves q(w) for the converter (LiteRT)."""


Quantizations = Callable[[Quantize], Quantization]
"""A backend's `quantization`, bound to its runtime. Quantizers are used once: each preparation asks for a new one."""


def quantize(
    program: Program,
    recipe: Quantize,
    quantization: Quantizations,
    samples: Sequence[Sample],
    checks: Sequence[Sample],
) -> Program:
    """`program` quantized as the recipe asks, each step a record of its history.

    samples: the calibration set. checks: samples on which every pass is verified. Raises UnknownName for a module that
    is not there, PassError for calibration data that are missing or not finite.
    """
    check_names(program.exported.graph, (*recipe.skip, *recipe.overrides))
    note = distribution_shift(program.exported, samples) if recipe.mode == "static" else None
    program = with_equalized_ranges(program, recipe, samples, checks)
    return QuantizePass(recipe, quantization, samples, (note,) if note else ())(program, checks)


def with_equalized_ranges(
    program: Program, recipe: Quantize, samples: Sequence[Sample], checks: Sequence[Sample]
) -> Program:
    """`program` with its ranges evened out as the recipe asks; it computes what it did."""
    for step in _before(recipe, samples):
        program = step(program, checks)
    return program


def _before(recipe: Quantize, samples: Sequence[Sample]) -> Iterator[Pass]:
    """What changes the float program and not what it computes."""
    if recipe.equalize:
        yield FoldBatchNorm()
        yield Equalize()
    if recipe.smooth is not None:
        yield Smooth(recipe.smooth, samples)


@dataclass(frozen=True)
class QuantizePass(Pass):
    """The same pass for every backend: the recipe says what, the backend's `Quantization` says where."""

    name: ClassVar[str] = "quantize"

    recipe: Quantize
    quantization: Quantizations
    samples: Sequence[Sample]
    notes: tuple[str, ...] = ()
    """What a reader of the record should be warned of."""

    def requires(self, exported: ExportedProgram) -> None:
        if not self.samples:
            raise PassError(
                "static quantization needs a calibration set", hint="state [data] calibration in edgekit.toml"
            )

    def rewrite(self, exported: ExportedProgram) -> Rewritten:
        import torch
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        quantization = self.quantization(self.recipe)
        with warnings.catch_warnings():
            # torchao warns of its own deprecated observer attributes at every conversion.
            warnings.simplefilter("ignore")
            prepared = prepare_pt2e(exported.module(), quantization.quantizer)
            findings = tuple(self._fitted(prepared, exported))
            converted = convert_pt2e(prepared, fold_quantize=quantization.fold_weights)
            return Rewritten(torch.export.export(converted, tuple(self.samples[0])), findings)

    def _fitted(self, prepared: GraphModule, exported: ExportedProgram) -> Findings:
        """Find scales, weights and biases for `prepared`, in place, and say what was found."""
        yield from (("warning", note) for note in self.notes)
        yield from self.calibrated(prepared, exported)
        if self.recipe.weights.rounding != "nearest" or self.recipe.correct_bias:
            yield from self._refined(prepared)

    def calibrated(self, prepared: GraphModule, exported: ExportedProgram) -> Findings:
        """Find the ranges of `prepared`, in place, by the recipe's observer, and say which one that was."""
        from edgekit.passes.quantization import auto_observer
        from edgekit.passes.quantization.calibrate import calibrate
        from edgekit.passes.quantization.simulate import answers, batch_of, stacked, unguarded

        if self.recipe.activations.observer != "auto" or len(self.samples) < 2:
            calibrate(prepared, self.samples, range(len(self.samples)))
            return
        seen, held_out = auto_observer.halves(len(self.samples))
        calibrate(prepared, self.samples, seen)
        floating = unguarded(exported.module())
        judges = [self.samples[index] for index in held_out]
        batches = stacked(judges, batch_of(floating, judges))
        found = auto_observer.scores(prepared, answers(floating, batches), batches)
        best = auto_observer.best(found)
        yield "chosen observer", best.method
        yield from ((f"observer {score.method}", str(score)) for score in found)
        auto_observer.use(prepared, best.method)
        # The held-out samples have done their part as judges.
        calibrate(prepared, self.samples, held_out)

    def _refined(self, prepared: GraphModule) -> Findings:
        from edgekit.passes.quantization.auto_observer import halves
        from edgekit.passes.quantization.bias_correction import corrected_biases, unobserved
        from edgekit.passes.quantization.layers import replace
        from edgekit.passes.quantization.rounding import rounded_weights
        from edgekit.passes.quantization.simulate import batch_of, stacked

        shuffled = [self.samples[index] for half in halves(len(self.samples)) for index in half][:ENOUGH]
        batches = stacked(shuffled, batch_of(unobserved(prepared), shuffled))
        if self.recipe.weights.rounding != "nearest":
            rounded = list(rounded_weights(prepared, self.recipe.weights.rounding, batches))
            for layer in rounded:
                replace(prepared, layer.layer.weight, layer.weight)
            nearest = sum(layer.nearest for layer in rounded)
            left = sum(layer.chosen for layer in rounded) / nearest if nearest else 1.0
            yield "rounding error", f"{left:.0%} of nearest rounding's, {len(rounded)} layers"
        if self.recipe.correct_bias:
            biases = corrected_biases(prepared, batches)
            for constant, bias in biases.items():
                replace(prepared, constant, bias)
            yield "biases corrected", str(len(biases))

    def ensures(self, exported: ExportedProgram) -> None:
        if not any("dequantize" in str(node.target) for node in exported.graph.nodes):
            raise PassError("nothing was quantized", hint="check the patterns of [quantize] skip in the profile")

    def options(self) -> tuple[tuple[str, str], ...]:
        recipe = self.recipe
        return (
            ("mode", recipe.mode),
            ("weights", f"{recipe.weights.dtype} {recipe.weights.granularity}"),
            ("rounding", recipe.weights.rounding),
            ("activations", f"{recipe.activations.dtype} {recipe.activations.granularity}"),
            ("symmetric", str(recipe.activations.symmetric).lower()),
            ("observer", recipe.activations.observer),
            ("samples", str(len(self.samples))),
            ("skip", " ".join(recipe.kept)),
        )
