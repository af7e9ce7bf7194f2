"""Mixed precision: search for the fewest layers in float with which an int8 network keeps its accuracy limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edgekit.ir.layers import Layer
from edgekit.passes.base import one_thread
from edgekit.passes.module_patterns import check_names
from edgekit.passes.sensitivity.analysis import sensitivity
from edgekit.passes.sensitivity.judge import Judge, Limits, MixedScore
from edgekit.passes.sensitivity.simulation import calibrated_program, simulated_outputs
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from edgekit.ir.program import Program
    from edgekit.passes.base import Sample
    from edgekit.passes.quantization.quantize import Quantization


FIT = 128
"""Most samples that calibrate in a search, spread evenly; the recipe that is chosen is calibrated on all."""


@dataclass(frozen=True)
class MixedPrecisionTrial:
    """One evaluation of the search: modules in float, and the score."""

    kept: tuple[str, ...]
    """Names of the modules in float."""
    score: MixedScore
    met: bool
    """True if the score keeps the limits."""


@dataclass(frozen=True)
class MixedPrecisionResult:
    """Result of the search: the recipe with its overrides, and all evaluations in order."""

    recipe: Quantize
    tried: tuple[MixedPrecisionTrial, ...]

    @property
    def met(self) -> bool:
        """True if the recipe keeps the limits."""
        return any(trial.met for trial in self.tried)


@dataclass(frozen=True)
class PrecisionSearch:
    """Problem of a search: the recipe nearest to `recipe` whose quantized program keeps `limits`."""

    program: Program
    """The float program."""
    recipe: Quantize
    quantization: Callable[[Quantize], Quantization]
    """Backend's `quantization`, bound to its runtime."""
    samples: Sequence[Sample]
    """Samples that calibrate, batch 1 each."""
    judge: Judge
    """Scores on samples held out of calibration."""
    limits: Limits

    def with_fewer_samples(self) -> PrecisionSearch:
        """Problem that calibrates on at most `FIT` of the samples."""
        return replace(self, samples=self.samples[:: max(1, -(-len(self.samples) // FIT))])

    def prepared(self, recipe: Quantize) -> GraphModule:
        """Calibrated program of a recipe. Raises PassError if nothing is quantized, Misfit."""
        return calibrated_program(self.program, recipe, self.quantization, self.samples)

    def score(self, prepared: GraphModule) -> MixedScore:
        """Score of a calibrated program, by fake quantization: nothing is converted."""
        return self.judge.score(simulated_outputs(self.program, prepared, self.judge.samples))


def search(problem: PrecisionSearch, evaluations: int = 8) -> MixedPrecisionResult:
    """Search for the fewest overrides to float32 in the recipe with which the quantized program keeps the limits.

    Int8 alone is tried first. Then the layers are ordered by their loss: the noise that each adds when it alone is
    quantized, as in HAWQ (Dong et al. 2019), with measured noise in place of a Hessian. Bisection finds the least
    number of layers from the front that keeps the limits. While evaluations are left, single layers return to int8. At
    most `evaluations` recipes are tried, each calibrated on at most `FIT` samples. If no trial keeps the limits, the
    best one is returned.

    Raises UnknownName if the recipe names a module that the network lacks, PassError if nothing is quantized.
    """
    recipe = problem.recipe
    check_names(problem.program.exported.graph, (*recipe.skip, *recipe.overrides))
    with one_thread():
        return _searched(_Trials(problem.with_fewer_samples(), evaluations))


def _searched(trials: _Trials) -> MixedPrecisionResult:
    if trials.run(()) or not trials.evaluations_left:
        return trials.result()
    problem = trials.problem
    measured = sensitivity(
        problem.program, problem.recipe, problem.quantization, problem.samples, problem.judge.samples
    )
    enough = _bisect(trials, by_loss(measured))
    if enough:
        _return_to_int8(trials, enough)
    return trials.result()


def by_loss(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Names of modules that can stay in float, in order of loss, the largest first.

    Loss through a layer's inputs disappears only if the layers that round these inputs stay in float too, so these take
    part in it.
    """
    names = {layer.name for layer in layers}
    by_node = {layer.node: layer for layer in layers}
    losses: dict[str, float] = {}
    for layer in layers:
        sources = [by_node[node] for node in layer.inputs if node in by_node]
        shares = [(layer, layer.output_sqnr_db), *((source, layer.by_inputs_db) for source in sources)]
        for one, sqnr_db in shares if layer.quantized else ():
            # A pattern of a module covers all modules inside it; the network itself has no name.
            whole = any(other.startswith(f"{one.name}.") for other in names)
            if sqnr_db is not None and one.quantized and one.name and one.kind != "input" and not whole:
                losses[one.name] = max(-sqnr_db, losses.get(one.name, -math.inf))
    return tuple(sorted(losses, key=lambda name: -losses[name]))


def with_float(recipe: Quantize, kept: Sequence[str]) -> Quantize:
    """Recipe with the modules `kept` in float, whatever its overrides say."""
    overrides = {**recipe.overrides, **dict.fromkeys(kept, "float32")}
    return Quantize.model_validate({**recipe.model_dump(exclude_unset=True), "overrides": overrides})


def _bisect(trials: _Trials, ordered: Sequence[str]) -> tuple[str, ...]:
    """Shortest beginning of `ordered` that is known to keep the limits in float; empty if there is none."""
    low, high = 0, len(ordered) + 1
    enough: tuple[str, ...] = ()
    step = max(1, len(ordered) // 8)  # few layers lose most: from below
    while trials.evaluations_left and high - low > 1:
        middle = min(low + step, high - 1) if not enough else (low + high) // 2
        if trials.run(ordered[:middle]):
            high, enough = middle, tuple(ordered[:middle])
        else:
            low, step = middle, step * 2
    return enough


def _return_to_int8(trials: _Trials, enough: tuple[str, ...]) -> None:
    """Return to int8 each layer that the limits allow, the one with the least loss first."""
    for name in reversed(enough):
        if not trials.evaluations_left or len(enough) == 1:
            return
        fewer = tuple(other for other in enough if other != name)
        if trials.run(fewer):
            enough = fewer


@dataclass
class _Trials:
    """Evaluations of the search so far, and the number that is left."""

    problem: PrecisionSearch
    evaluations_left: int
    tried: list[MixedPrecisionTrial] = field(default_factory=list)

    def run(self, kept: Sequence[str]) -> bool:
        """Simulate with these modules in float, and judge. Returns True if the limits are kept."""
        self.evaluations_left -= 1
        recipe = with_float(self.problem.recipe, kept) if kept else self.problem.recipe
        score = self.problem.score(self.problem.prepared(recipe))
        self.tried.append(MixedPrecisionTrial(tuple(kept), score, score.meets(self.problem.limits)))
        return self.tried[-1].met

    def result(self) -> MixedPrecisionResult:
        met = [trial for trial in self.tried if trial.met]
        best = min(met, key=lambda trial: len(trial.kept)) if met else max(self.tried, key=_quality)
        recipe = with_float(self.problem.recipe, best.kept) if best.kept else self.problem.recipe
        return MixedPrecisionResult(recipe, tuple(self.tried))


def _quality(trial: MixedPrecisionTrial) -> tuple[float, float, int]:
    return trial.score.agreement, trial.score.sqnr_db, -len(trial.kept)
