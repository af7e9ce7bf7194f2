"""Precision repair: where plain int8 misses its limits, remedies in integers, then the cheapest operators in float.

Remedies in integers are other ranges, equalization and SmoothQuant, then ranges that are found at run time.

Everything is judged on samples held out of calibration, by fake quantization: nothing is converted. The budget is
counted in evaluations, so that a slow machine chooses what a quick one does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from edgekit.errors import Misfit, PassError
from edgekit.passes.sensitivity.dynamic_trials import with_integer_attention, with_run_time_ranges
from edgekit.passes.sensitivity.exceptions import WorkShare, work_of
from edgekit.passes.sensitivity.float_trials import find_exceptions, prune_exceptions
from edgekit.passes.sensitivity.mixed_precision import PrecisionSearch
from edgekit.passes.sensitivity.repair_trial import RepairResult, RepairTrial
from edgekit.passes.sensitivity.repair_trials import GAIN_DB, RepairTrials
from edgekit.specs.compression import MOST_IN_FLOAT, Quantize

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from edgekit.ir.program import Program


def repaired(problem: PrecisionSearch) -> RepairResult:
    """Find the recipe that keeps the limits with the least work in float; the best one if none does.

    Plain int8 comes first, and ends the search if it keeps the limits; only attention may be brought into integers
    then. Where fewer than `repair_trials.DECISIVE` samples are held out, it must have `repair_trials.HOLDS_DB` too, and
    the sample that is answered worst does not count. At most `mixed_precision.FIT` samples calibrate, spread evenly.
    Raises PassError if the search takes longer than `repair_trials.ABORT_S`.
    """
    trials = RepairTrials(problem.with_fewer_samples())
    trials.count()
    plain, prepared = _plain(trials)
    if plain.met:
        return _result(trials, with_integer_attention(trials, plain))
    trials.work = work_of(prepared)
    total = trials.measure(prepared)
    worst = next(iter(trials.roundings), None)
    named = (worst.value, worst.noise / total) if worst else ("", 0.0)
    base, prepared = _ranged(trials, plain, prepared)
    if not base.met and base is not plain:
        trials.measure(prepared)
    if not base.met:
        base = with_run_time_ranges(trials, base, prepared)
    if not base.met:
        find_exceptions(trials, base)
        prune_exceptions(trials)
    return _result(trials, with_integer_attention(trials, best_of(trials)), *named)


def _plain(trials: RepairTrials) -> tuple[RepairTrial, GraphModule]:
    """Trial of the recipe as it is, and its calibrated program; biases are left as they are if it holds so.

    Correcting them is most of a trial, and is done later only where held-out samples gain by it.
    """
    recipe = trials.problem.recipe
    if recipe.correct_bias:
        prepared = trials.problem.prepared(recipe.model_copy(update={"correct_bias": False}))
        uncorrected = trials.judged("plain", recipe, prepared)
        if uncorrected.met:
            return uncorrected, prepared
        trials.tried.clear()
    prepared = trials.problem.prepared(recipe)
    return trials.judged("plain", recipe, prepared), prepared


def best_of(trials: RepairTrials) -> RepairTrial:
    """The cheapest trial that holds; where none does, the best of those that are int8 still."""
    met = [trial for trial in trials.tried if trial.met]
    if met:
        return min(met, key=lambda trial: trial.price)
    # The plain recipe is always one of them, unless the profile itself leaves most in float.
    integer = [trial for trial in trials.tried if max(_in_float(trials, trial)) <= MOST_IN_FLOAT]
    return max(integer or trials.tried, key=lambda trial: trial.quality)


def _result(trials: RepairTrials, chosen: RepairTrial, worst: str = "", share: float = 0.0) -> RepairResult:
    count = len(trials.problem.judge.samples)
    return RepairResult(tuple(trials.tried), chosen, worst, share, count, _in_float(trials, chosen))


def _in_float(trials: RepairTrials, trial: RepairTrial) -> WorkShare:
    """Work of the operators that a trial leaves in float."""
    shares = [trials.work[name] for name in trial.exceptions if name in trials.work]
    return WorkShare(sum(each.macs for each in shares), sum(each.weights for each in shares))


def _ranged(trials: RepairTrials, base: RepairTrial, prepared: GraphModule) -> tuple[RepairTrial, GraphModule]:
    """Best recipe without exceptions: other ranges, equalization, SmoothQuant; each is kept if it gains."""
    for change, recipe in _variants(trials.problem.program, base.recipe):
        if base.met or not trials.is_left:
            break
        changed = base.recipe.model_copy(update=recipe)
        trials.count()
        try:
            candidate = trials.problem.prepared(changed)
        except (Misfit, PassError):  # the backend or the network does not take it
            continue
        words = change if base.change == "plain" else f"{base.change}, {change}"
        trial = trials.judged(words, changed, candidate)
        if trial.met or trial.score.sqnr_db >= base.score.sqnr_db + GAIN_DB:
            base, prepared = trial, candidate
    return base, prepared


def _variants(program: Program, recipe: Quantize) -> Iterator[tuple[str, Mapping[str, object]]]:
    from edgekit.passes.quantization.cross_layer_equalization import pairs
    from edgekit.passes.quantization.smooth_quant import normed

    module = program.exported.module()
    if recipe.activations.observer == "minmax":
        for observer in ("mse", "percentile"):
            yield (
                f"{observer} ranges",
                {"activations": recipe.activations.model_copy(update={"observer": observer})},
            )
    if not recipe.equalize and any(True for _ in pairs(module)):
        yield "equalization", {"equalize": True}
    if recipe.smooth is None and any(True for _ in normed(module)):
        yield "SmoothQuant", {"smooth": 0.5}
