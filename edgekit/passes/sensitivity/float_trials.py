"""Trials of precision repair with operators in float: the fewest that hold, and those that may return to integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgekit.errors import Misfit, PassError
from edgekit.passes.sensitivity.exceptions import ExceptionStep, exception_path, pruning_order
from edgekit.passes.sensitivity.mixed_precision import with_float
from edgekit.passes.sensitivity.repair_trial import RepairTrial
from edgekit.passes.sensitivity.repair_trials import DECISIVE, REPAIRED_DB, RepairTrials

STEPS, ROUNDED_STEPS, STEP_DB = 6, 4, 1.0
"""Most trials with operators in float, of them with weights rounded by GPTQ, and the least gain aimed at."""
ROUNDING_SAMPLES = 64
"""Least number of samples that GPTQ is fitted to: with 12 it lost up to 0.8 dB on others, on two networks."""
PRUNED_STEPS = 6
"""Most trials that return operators to integers."""


def find_exceptions(trials: RepairTrials, base: RepairTrial) -> None:
    """Find the shortest beginning of the path of exceptions that holds, then a shorter one with rounded weights."""
    path = exception_path(trials.roundings, trials.prices)
    shortest = _bisected(trials, base, path, len(path), STEPS)
    is_fitted = len(trials.problem.samples) >= ROUNDING_SAMPLES
    if base.recipe.weights.rounding == "nearest" and shortest and is_fitted:
        # GPTQ moves no operator out of integers. Not before: layers that read few vectors would fit them alone.
        weights = base.recipe.weights.model_copy(update={"rounding": "gptq"})
        words = "GPTQ rounding" if base.change == "plain" else f"{base.change}, GPTQ rounding"
        rounded = replace(base, change=words, recipe=base.recipe.model_copy(update={"weights": weights}))
        _bisected(trials, rounded, path, shortest, ROUNDED_STEPS)


def prune_exceptions(trials: RepairTrials) -> None:
    """Return operators to integers, many at once and then fewer, as long as the limits hold.

    Only where enough samples judge: the best of many trials on few holds by chance.
    """
    met = [trial for trial in trials.tried if trial.met]
    if not met or len(trials.problem.judge.samples) < DECISIVE:
        return
    best = min(met, key=lambda trial: trial.price)
    added = [name for name in best.exceptions if name not in trials.problem.recipe.overrides]
    order = pruning_order(trials.roundings, trials.prices, added)
    count = len(order) // 2
    for _ in range(PRUNED_STEPS):
        if not count or not trials.is_left:
            return
        dropped = set(order[:count])
        trial = _with_float(trials, best, [name for name in best.exceptions if name not in dropped])
        if trial is not None and trial.met:
            best, order = trial, order[count:]
            count = max(min(count, len(order) // 2), min(1, len(order)))
        elif count == 1:
            order = order[1:]  # this one matters
            count = min(1, len(order))
        else:
            count //= 2


def _bisected(trials: RepairTrials, base: RepairTrial, path: Sequence[ExceptionStep], high: int, steps: int) -> int:
    """Index of the first step before `high` that is known to hold; 0 if none is."""
    low, last, end = -1, base, high
    for _ in range(steps):
        if high - low < 2 or not trials.is_left:
            break
        missing_db = max(REPAIRED_DB - last.score.sqnr_db, STEP_DB)
        place = _place(path, low, missing_db) if high == len(path) else (low + high) // 2
        place = min(max(place, low + 1), high - 1)
        trial = _with_float(trials, base, path[place].operators)
        if trial is None:
            break
        low, high, last = (low, place, trial) if trial.met else (place, high, trial)
    return high if high < end else 0


def _with_float(trials: RepairTrials, base: RepairTrial, operators: Sequence[str]) -> RepairTrial | None:
    """Trial of the recipe of `base` with these operators in float, an earlier one if there is one; None if the
    network does not take it."""
    stated = trials.problem.recipe.overrides
    kept = {
        name: precision
        for name, precision in base.recipe.overrides.items()
        if name in stated or precision == "dynamic-int8"
    }
    recipe = with_float(base.recipe.model_copy(update={"overrides": kept}), operators)
    same = next((trial for trial in trials.tried if trial.recipe == recipe), None)
    if same:
        return same
    count = f"{len(operators)} operator{'s' if len(operators) > 1 else ''} in float"
    trials.count()
    try:
        prepared = trials.problem.prepared(recipe)
    except (Misfit, PassError):
        return None
    opening = base.change.rpartition(", ")[0] if base.exceptions else base.change
    return trials.judged(count if opening in ("plain", "") else f"{opening}, {count}", recipe, prepared)


def _place(path: Sequence[ExceptionStep], low: int, missing_db: float) -> int:
    """First place behind `low` whose noise is `missing_db` below that at `low`, to first order."""
    present = path[low].noise_left if low >= 0 else 1.0
    enough = (place for place, step in enumerate(path) if step.noise_left <= present / 10 ** (missing_db / 10))
    return next(enough, len(path) - 1)
