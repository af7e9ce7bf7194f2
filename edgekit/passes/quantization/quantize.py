"""Post-training quantization (PTQ): equalization and SmoothQuant, then PT2E: prepare, calibrate, convert."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from edgekit.errors import PassError
from edgekit.passes.base import Pass, Rewritten
from edgekit.passes.module_patterns import check_names, is_skipped
from edgekit.passes.quantization.batch_norm_folding import FoldBatchNorm
from edgekit.passes.quantization.calibration_check import distribution_shift
from edgekit.passes.quantization.cross_layer_equalization import Equalize
from edgekit.passes.quantization.smooth_quant import Smooth
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Graph, GraphModule
    from torchao.quantization.pt2e.quantizer import Quantizer

    from edgekit.ir.program import Program
    from edgekit.passes.base import Sample

    Findings = Iterator[tuple[str, str]]

ENOUGH = 128
"""Largest number of samples for rounding and bias correction: both are means over every position of every sample."""


@dataclass(frozen=True)
class Quantization:
    """Quantizer of a backend, and the form of the weights that its converter reads."""

    quantizer: Quantizer
    fold_weights: bool
    """True stores integer weights (ExecuTorch, ONNX); False leaves quantize(w) to the converter (LiteRT)."""
    at_lowering: frozenset[Any] = frozenset()
    """Operators with weights that the backend quantizes as it lowers: they are float in the quantized program."""
    dynamic_attention: bool = False
    """True if attention can find the ranges of its factors at run time, and multiply integers."""

    def lowers_any(self, graph: Graph, kept: Sequence[str]) -> bool:
        """True if a graph has such an operator outside of the modules `kept` in float."""
        return any(node.target in self.at_lowering and not is_skipped(node, kept) for node in graph.nodes)


Quantizations = Callable[[Quantize], Quantization]
"""Backend's `quantization`, bound to its runtime. A quantizer is used once: each preparation calls this again."""


def quantize(
    program: Program,
    recipe: Quantize,
    quantization: Quantizations,
    samples: Sequence[Sample],
    checks: Sequence[Sample],
) -> Program:
    """Quantize `program` as the recipe asks. Every step adds a record to its history.

    samples: the calibration set, one call's inputs each. checks: samples on which every pass is verified. Raises
    UnknownName if the recipe names a module that the network lacks, PassError for calibration data that are missing or
    not finite.
    """
    check_names(program.exported.graph, (*recipe.skip, *recipe.overrides))
    note = distribution_shift(program.exported, samples) if recipe.mode == "static" else None
    program = with_equalized_ranges(program, recipe, samples, checks)
    return QuantizePass(recipe, quantization, samples, (note,) if note else ())(program, checks)


def with_equalized_ranges(
    program: Program, recipe: Quantize, samples: Sequence[Sample], checks: Sequence[Sample]
) -> Program:
    """Apply cross-layer equalization and SmoothQuant, if the recipe asks for them. The function stays the same."""
    for step in _before(recipe, samples):
        program = step(program, checks)
    return program


def _before(recipe: Quantize, samples: Sequence[Sample]) -> Iterator[Pass]:
    """Passes that change the float program, but not the function that it computes."""
    if recipe.equalize:
        yield FoldBatchNorm()
        yield Equalize()
    if recipe.smooth is not None:
        yield Smooth(recipe.smooth, samples)


@dataclass(frozen=True)
class QuantizePass(Pass):
    """Quantize for any backend: the recipe says in what precision, the backend's quantizer which operators."""

    name: ClassVar[str] = "quantize"

    recipe: Quantize
    quantization: Quantizations
    samples: Sequence[Sample]
    notes: tuple[str, ...] = ()
    """Warnings that go into the record of the pass."""

    def requires(self, exported: ExportedProgram) -> None:
        if not self.samples:
            raise PassError(
                "static quantization needs a calibration set", hint="state [data] calibration in edgekit.toml"
            )

    def rewrite(self, exported: ExportedProgram) -> Rewritten:
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        from edgekit.frontend.dynamic_shapes import exported_like
        from edgekit.passes.quantization.embedding_tables import with_integer_tables

        quantization = self.quantization(self.recipe)
        with warnings.catch_warnings():
            # torchao warns of its own deprecated observer attributes at every conversion.
            warnings.simplefilter("ignore")
            prepared = prepare_pt2e(exported.module(), quantization.quantizer)
            findings = self.fit(prepared, exported)
            converted = convert_pt2e(prepared, fold_quantize=quantization.fold_weights)
            with_integer_tables(converted, self.recipe.kept)
            return Rewritten(exported_like(converted, exported, self._example(exported)), findings)

    def _example(self, exported: ExportedProgram) -> Sample:
        """Inputs with which the quantized program is traced: of the greatest lengths, where these are free."""
        from edgekit.frontend.dynamic_shapes import program_dims

        examples = exported.example_inputs
        return examples[0] if examples and any(program_dims(exported)) else tuple(self.samples[0])

    def fit(self, prepared: GraphModule, exported: ExportedProgram) -> tuple[tuple[str, str], ...]:
        """Set scales, weights and biases of `prepared`, in place. Returns findings for the record."""
        return tuple(self._fitted(prepared, exported))

    def _fitted(self, prepared: GraphModule, exported: ExportedProgram) -> Findings:
        yield from (("warning", note) for note in self.notes)
        yield from self.calibrated(prepared, exported)
        if self.recipe.weights.rounding != "nearest" or self.recipe.correct_bias:
            yield from self._refined(prepared)

    def calibrated(self, prepared: GraphModule, exported: ExportedProgram) -> Findings:
        """Calibrate `prepared`, in place, with the recipe's observer.

        Yields the observer that `auto` chose, with all scores.
        """
        from edgekit.passes.quantization.answer_ranges import answers_extended
        from edgekit.passes.quantization.score_ranges import scores_clipped

        with answers_extended(prepared), scores_clipped(prepared):
            findings = tuple(self._observed(prepared, exported))
        yield from findings

    def _observed(self, prepared: GraphModule, exported: ExportedProgram) -> Findings:
        from edgekit.passes.quantization import auto_observer
        from edgekit.passes.quantization.calibrate import calibrate
        from edgekit.passes.quantization.simulate import answers, batch_of, stacked, unguarded

        if self.recipe.activations.observer != "auto" or len(self.samples) < 2:
            calibrate(prepared, self.samples, range(len(self.samples)))
            return
        calibrating, held_out = auto_observer.halves(len(self.samples))
        calibrate(prepared, self.samples, calibrating)
        floating = unguarded(exported.module())
        judges = [self.samples[index] for index in held_out]
        batches = stacked(judges, batch_of(floating, judges))
        scored = auto_observer.scores(prepared, answers(floating, batches), batches)
        best = auto_observer.best(scored)
        yield "chosen observer", best.method
        yield from ((f"observer {score.method}", str(score)) for score in scored)
        auto_observer.use(prepared, best.method)
        # The held-out samples are no longer needed to judge.
        calibrate(prepared, self.samples, held_out)

    def _refined(self, prepared: GraphModule) -> Findings:
        """Round weights (GPTQ, AdaRound) and correct biases of `prepared`, in place. Yields findings for the record."""
        from edgekit.passes.quantization.auto_observer import halves
        from edgekit.passes.quantization.bias_choice import chosen_biases
        from edgekit.passes.quantization.bias_correction import unobserved
        from edgekit.passes.quantization.rounding import rounded_weights
        from edgekit.passes.quantization.simulate import batch_of, stacked
        from edgekit.passes.quantization.weighted_layers import replace

        shuffled = [self.samples[index] for half in halves(len(self.samples)) for index in half][:ENOUGH]
        batches = stacked(shuffled, batch_of(unobserved(prepared), shuffled))
        if self.recipe.weights.rounding != "nearest":
            rounded = list(rounded_weights(prepared, self.recipe.weights.rounding, batches))
            for layer in rounded:
                replace(prepared, layer.layer.weight, layer.weight)
            nearest = sum(layer.nearest for layer in rounded)
            remaining = sum(layer.chosen for layer in rounded) / nearest if nearest else 1.0
            yield "rounding error", f"{remaining:.0%} of nearest rounding's, {len(rounded)} layers"
        if self.recipe.correct_bias:
            choice = chosen_biases(prepared, batches)
            for constant, bias in choice.biases.items():
                replace(prepared, constant, bias)
            yield "biases corrected", str(len(choice.biases))
            if choice.scope != "all":
                yield "bias correction", str(choice)

    def ensures(self, exported: ExportedProgram) -> None:
        is_quantized = any("dequantize" in str(node.target) for node in exported.graph.nodes)
        if not is_quantized and not self.quantization(self.recipe).lowers_any(exported.graph, self.recipe.kept):
            raise PassError("nothing was quantized", hint=_hint(self.recipe))

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


def _hint(recipe: Quantize) -> str:
    """Next step where no layer was quantized: because the profile left all out, or the backend has no kernel."""
    if recipe.kept:
        return "check the patterns of [quantize] skip in the profile"
    other = "--profile host-int8 (static)" if recipe.mode == "dynamic" else "--profile float32"
    return f"the backend has no {recipe.mode} integer kernel for the network's layers: {other}, or another --backend"
