"""Trials of precision repair whose operators find the ranges of their inputs at run time: all products in integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgekit.errors import Misfit, PassError
from edgekit.passes.sensitivity.attention_work import attention_shares
from edgekit.passes.sensitivity.exceptions import dynamic_names, dynamic_order
from edgekit.passes.sensitivity.repair_trial import RepairTrial
from edgekit.passes.sensitivity.repair_trials import GAIN_DB, RepairTrials
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from torch.fx import GraphModule

STEPS = 3
"""Most trials with fewer operators that round their inputs at run time, where all of them hold."""


def with_run_time_ranges(trials: RepairTrials, base: RepairTrial, prepared: GraphModule) -> RepairTrial:
    """Best recipe without exceptions that has layers, and products where the backend can, find ranges at run time.

    All at first, for that keeps every product in integers; where these hold, fewer, those first that lose most.
    """
    order = dynamic_order(trials.problem.program.exported.module(), prepared, trials.roundings)
    order = tuple(name for name in order if name not in base.recipe.overrides)
    every = _with_dynamic(trials, base, order) if order else None
    if every is None:
        return base
    trial, candidate = every
    if not trial.met:
        if trial.score.sqnr_db < base.score.sqnr_db + GAIN_DB:
            return base
        trials.measure(candidate)
        return trial
    low, high = 0, len(order)
    for _ in range(STEPS):
        if high - low < 2 or not trials.is_left:
            break
        middle = (low + high) // 2
        fewer = _with_dynamic(trials, base, order[:middle])
        if fewer is not None and fewer[0].met:
            trial, high = fewer[0], middle
        else:
            low = middle
    return trial


def with_integer_attention(trials: RepairTrials, chosen: RepairTrial) -> RepairTrial:
    """Trial that holds as `chosen` does, and has attention in integers, too; `chosen` itself if there is none.

    Only where a static recipe leaves so much of the work in float with attention that the limit on integers is missed,
    and the backend can multiply it in integers. Where all attention in integers does not hold, the least that keeps the
    limit is tried: that of the first blocks, then that of the last.
    """
    limit = trials.problem.limits.integer_macs
    if not limit or not chosen.met or not trials.problem.quantization(chosen.recipe).dynamic_attention:
        return chosen
    shares = attention_shares(trials.problem.program.exported.module())
    left = {name: share for name, share in shares.items() if name not in chosen.recipe.overrides}
    if sum(left.values()) <= 1 - limit:
        return chosen
    names = list(left)
    first, last = (_fewest(order, left, 1 - limit) for order in (names, names[::-1]))
    for some in (names, *(fewer for fewer in (first, last) if len(fewer) < len(names) and trials.is_left)):
        trial = _with_dynamic(trials, chosen, some, correct_bias=False)
        if trial is not None and trial[0].met:
            return trial[0]
    return chosen


def _fewest(order: Sequence[str], shares: Mapping[str, float], rest: float) -> list[str]:
    """Shortest beginning of `order` without which the shares of the others are `rest` at most."""
    left = sum(shares.values())
    for count, name in enumerate(order, 1):
        left -= shares[name]
        if left <= rest:
            return list(order[:count])
    return list(order)


def _with_dynamic(
    trials: RepairTrials, base: RepairTrial, names: Sequence[str], correct_bias: bool = True
) -> tuple[RepairTrial, GraphModule] | None:
    """Trial of the recipe of `base` with these operators dynamic, and its program; None if the backend has none.

    correct_bias: false to judge the recipe without, which takes most of the time of a trial.
    """
    overrides = {**base.recipe.overrides, **dict.fromkeys(names, "dynamic-int8")}
    fields = {**base.recipe.model_dump(exclude_unset=True), "overrides": overrides}
    recipe = Quantize.model_validate(fields)
    trials.count()
    try:
        judged = recipe if correct_bias else recipe.model_copy(update={"correct_bias": False})
        prepared = trials.problem.prepared(judged)
    except (Misfit, PassError):
        return None
    count = len(dynamic_names(prepared))
    if not count:
        return None
    words = f"ranges at run time for {count} operator{'s' if count > 1 else ''}"
    return trials.judged(words if base.change == "plain" else f"{base.change}, {words}", recipe, prepared), prepared
