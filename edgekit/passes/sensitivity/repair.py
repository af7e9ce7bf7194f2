"""Precision repair: where plain int8 misses its limits, remedies in integers, then the cheapest operators in float.

Remedies in integers are other ranges, equalization and SmoothQuant, then ranges that are found at run time.

Everything is judged on samples held out of calibration, by fake quantization: nothing is converted. The budget is
counted in evaluations, so that a slow machine chooses what a quick one does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edgekit.errors import Misfit, PassError
from edgekit.passes.sensitivity.exceptions import (
    RANGE_SEARCH,
    ExceptionStep,
    JointRounding,
    WorkShare,
    dynamic_names,
    dynamic_order,
    exception_path,
    joint_roundings,
    price,
    pruning_order,
    work_of,
)
from edgekit.passes.sensitivity.mixed_precision import MixedScore, PrecisionSearch, with_float
from edgekit.passes.sensitivity.noise_shares import noise_shares
from edgekit.passes.sensitivity.repair_trial import RepairResult, RepairTrial
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from torch.fx import GraphModule

EVALUATIONS = 20
"""Most recipes that are tried after the plain one."""
ABORT_S = 3600.0
"""Time after which the search is refused. It never chooses less for lack of time: that would be another file."""
PROBED = 8
"""Most samples on which the noise of each rounding is measured."""
HOLDS_DB, REPAIRED_DB = 25.0, 29.0
"""Least SQNR of plain int8, and of a repaired recipe, where too few samples are held out to tell the agreement.

On other samples a recipe that was chosen by twelve was up to 5 dB worse.
"""
DECISIVE = 100
"""Number of held-out samples from which agreement alone decides: one of them is a hundredth."""
GAIN_DB = 0.5
"""Least gain of a recipe without more exceptions: less is chance."""
STEPS, ROUNDED_STEPS, STEP_DB = 6, 4, 1.0
"""Most trials with operators in float, of them with weights rounded by GPTQ, and the least gain aimed at."""
ROUNDING_SAMPLES = 64
"""Least number of samples that GPTQ is fitted to: with 12 it lost up to 0.8 dB on others, on two networks."""
PRUNED_STEPS = 6
"""Most trials that return operators to integers."""
DYNAMIC_STEPS = 3
"""Most trials with fewer operators that round their inputs at run time, where all of them hold."""


def repaired(problem: PrecisionSearch) -> RepairResult:
    """Find the recipe that keeps the limits with the least work in float; the best one if none does.

    Plain int8 comes first, and ends the search if it holds: if it keeps the limits. Where fewer than `DECISIVE` samples
    are held out, it must have `HOLDS_DB` too, and one sample more may be answered otherwise. At most
    `mixed_precision.FIT` samples calibrate, spread evenly. Raises PassError if the search takes longer than `ABORT_S`.
    """
    return _Repair(problem.with_fewer_samples()).result()


@dataclass
class _Repair:
    """State of one search."""

    problem: PrecisionSearch
    trials: list[RepairTrial] = field(default_factory=list)
    evaluations: int = 0
    started: float = field(default_factory=time.monotonic)
    work: dict[str, WorkShare] = field(default_factory=dict)
    roundings: list[JointRounding] = field(default_factory=list)
    """Roundings of the best recipe without exceptions."""

    def result(self) -> RepairResult:
        self._count()
        plain, prepared = self._plain()
        if plain.met:
            return self._result(plain)
        self.work = work_of(prepared)
        total = self._measure(prepared)
        worst = next(iter(self.roundings), None)
        named = (worst.value, worst.noise / total) if worst else ("", 0.0)
        base, prepared = self._ranged(plain, prepared)
        if not base.met and base is not plain:
            self._measure(prepared)
        if not base.met:
            base = self._dynamic(base, prepared)
        if not base.met:
            self._excepted(base)
            self._pruned()
        met = [trial for trial in self.trials if trial.met]
        best = min(met, key=lambda trial: trial.price) if met else max(self.trials, key=lambda trial: trial.quality)
        return self._result(best, *named)

    def _plain(self) -> tuple[RepairTrial, GraphModule]:
        """Trial of the recipe as it is, and its calibrated program; biases are left as they are if it holds so.

        Correcting them is most of a trial, and is done later only where held-out samples gain by it.
        """
        recipe = self.problem.recipe
        if recipe.correct_bias:
            prepared = self.problem.prepared(recipe.model_copy(update={"correct_bias": False}))
            uncorrected = self._judged("plain", recipe, prepared)
            if uncorrected.met:
                return uncorrected, prepared
            self.trials.clear()
        prepared = self.problem.prepared(recipe)
        return self._judged("plain", recipe, prepared), prepared

    def _result(self, chosen: RepairTrial, worst: str = "", share: float = 0.0) -> RepairResult:
        shares = [self.work[name] for name in chosen.exceptions if name in self.work]
        in_float = WorkShare(sum(each.macs for each in shares), sum(each.weights for each in shares))
        return RepairResult(tuple(self.trials), chosen, worst, share, len(self.problem.judge.samples), in_float)

    def _measure(self, prepared: GraphModule) -> float:
        """Measure the noise of each rounding. Returns that of all."""
        shares = noise_shares(prepared, self.problem.samples[:PROBED])
        self.roundings = joint_roundings(prepared, shares)
        return sum(shares.values())

    @property
    def _prices(self) -> dict[str, float]:
        return {name: max(share) for name, share in self.work.items()}

    @property
    def _is_left(self) -> bool:
        return self.evaluations <= EVALUATIONS

    def _ranged(self, base: RepairTrial, prepared: GraphModule) -> tuple[RepairTrial, GraphModule]:
        """Best recipe without exceptions: other ranges, equalization, SmoothQuant; each is kept if it gains."""
        for change, recipe in self._variants(base.recipe):
            if base.met or not self._is_left:
                break
            changed = base.recipe.model_copy(update=recipe)
            self._count()
            try:
                candidate = self.problem.prepared(changed)
            except (Misfit, PassError):  # the backend or the network does not take it
                continue
            words = change if base.change == "plain" else f"{base.change}, {change}"
            trial = self._judged(words, changed, candidate)
            if trial.met or trial.score.sqnr_db >= base.score.sqnr_db + GAIN_DB:
                base, prepared = trial, candidate
        return base, prepared

    def _variants(self, recipe: Quantize) -> Iterator[tuple[str, Mapping[str, object]]]:
        from edgekit.passes.quantization.cross_layer_equalization import pairs
        from edgekit.passes.quantization.smooth_quant import normed

        module = self.problem.program.exported.module()
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

    def _dynamic(self, base: RepairTrial, prepared: GraphModule) -> RepairTrial:
        """Best recipe without exceptions that has layers, and products where the backend can, find ranges at run time.

        All at first, for that keeps every product in integers; where these hold, fewer, those first that lose most.
        """
        order = dynamic_order(self.problem.program.exported.module(), prepared, self.roundings)
        order = tuple(name for name in order if name not in base.recipe.overrides)
        every = self._with_dynamic(base, order) if order else None
        if every is None:
            return base
        trial, candidate = every
        if not trial.met:
            if trial.score.sqnr_db < base.score.sqnr_db + GAIN_DB:
                return base
            self._measure(candidate)
            return trial
        low, high = 0, len(order)
        for _ in range(DYNAMIC_STEPS):
            if high - low < 2 or not self._is_left:
                break
            middle = (low + high) // 2
            fewer = self._with_dynamic(base, order[:middle])
            if fewer is not None and fewer[0].met:
                trial, high = fewer[0], middle
            else:
                low = middle
        return trial

    def _with_dynamic(self, base: RepairTrial, names: Sequence[str]) -> tuple[RepairTrial, GraphModule] | None:
        """Trial of the recipe of `base` with these operators dynamic, and its program; None if the backend has none."""
        overrides = {**base.recipe.overrides, **dict.fromkeys(names, "dynamic-int8")}
        fields = {**base.recipe.model_dump(exclude_unset=True), "overrides": overrides}
        recipe = Quantize.model_validate(fields)
        self._count()
        try:
            prepared = self.problem.prepared(recipe)
        except (Misfit, PassError):
            return None
        count = len(dynamic_names(prepared))
        if not count:
            return None
        words = f"ranges at run time for {count} operator{'s' if count > 1 else ''}"
        return self._judged(words if base.change == "plain" else f"{base.change}, {words}", recipe, prepared), prepared

    def _excepted(self, base: RepairTrial) -> None:
        """Find the shortest beginning of the path of exceptions that holds, then a shorter one with rounded weights."""
        path = exception_path(self.roundings, self._prices)
        shortest = self._bisected(base, path, len(path), STEPS)
        is_fitted = len(self.problem.samples) >= ROUNDING_SAMPLES
        if base.recipe.weights.rounding == "nearest" and shortest and is_fitted:
            # GPTQ moves no operator out of integers. Not before: layers that read few vectors would fit them alone.
            weights = base.recipe.weights.model_copy(update={"rounding": "gptq"})
            words = "GPTQ rounding" if base.change == "plain" else f"{base.change}, GPTQ rounding"
            rounded = replace(base, change=words, recipe=base.recipe.model_copy(update={"weights": weights}))
            self._bisected(rounded, path, shortest, ROUNDED_STEPS)

    def _bisected(self, base: RepairTrial, path: Sequence[ExceptionStep], high: int, steps: int) -> int:
        """Index of the first step before `high` that is known to hold; 0 if none is."""
        low, last, end = -1, base, high
        for _ in range(steps):
            if high - low < 2 or not self._is_left:
                break
            missing_db = max(REPAIRED_DB - last.score.sqnr_db, STEP_DB)
            place = _place(path, low, missing_db) if high == len(path) else (low + high) // 2
            place = min(max(place, low + 1), high - 1)
            trial = self._with_float(base, path[place].operators)
            if trial is None:
                break
            low, high, last = (low, place, trial) if trial.met else (place, high, trial)
        return high if high < end else 0

    def _pruned(self) -> None:
        """Return operators to integers, many at once and then fewer, as long as the limits hold.

        Only where enough samples judge: the best of many trials on few holds by chance.
        """
        met = [trial for trial in self.trials if trial.met]
        if not met or len(self.problem.judge.samples) < DECISIVE:
            return
        best = min(met, key=lambda trial: trial.price)
        added = [name for name in best.exceptions if name not in self.problem.recipe.overrides]
        order = pruning_order(self.roundings, self._prices, added)
        count = len(order) // 2
        for _ in range(PRUNED_STEPS):
            if not count or not self._is_left:
                return
            dropped = set(order[:count])
            trial = self._with_float(best, [name for name in best.exceptions if name not in dropped])
            if trial is not None and trial.met:
                best, order = trial, order[count:]
                count = max(min(count, len(order) // 2), min(1, len(order)))
            elif count == 1:
                order = order[1:]  # this one matters
                count = min(1, len(order))
            else:
                count //= 2

    def _with_float(self, base: RepairTrial, operators: Sequence[str]) -> RepairTrial | None:
        """Trial of the recipe of `base` with these operators in float, an earlier one if there is one; None if the
        network does not take it."""
        stated = self.problem.recipe.overrides
        kept = {
            name: precision
            for name, precision in base.recipe.overrides.items()
            if name in stated or precision == "dynamic-int8"
        }
        recipe = with_float(base.recipe.model_copy(update={"overrides": kept}), operators)
        same = next((trial for trial in self.trials if trial.recipe == recipe), None)
        if same:
            return same
        count = f"{len(operators)} operator{'s' if len(operators) > 1 else ''} in float"
        self._count()
        try:
            prepared = self.problem.prepared(recipe)
        except (Misfit, PassError):
            return None
        opening = base.change.rpartition(", ")[0] if base.exceptions else base.change
        return self._judged(count if opening in ("plain", "") else f"{opening}, {count}", recipe, prepared)

    def _count(self) -> None:
        """Count an evaluation. Raises PassError if the search has taken too long."""
        if time.monotonic() - self.started > ABORT_S:
            raise PassError(
                f"precision repair tried {self.evaluations} of up to {EVALUATIONS + 1} recipes in "
                f"{ABORT_S / 60:.0f} minutes; it chooses nothing for lack of time",
                hint="--set profile.quantize.samples=64 for fewer calibration samples, or --profile int8-plain",
            )
        self.evaluations += 1

    def _judged(self, change: str, recipe: Quantize, prepared: GraphModule) -> RepairTrial:
        score = self.problem.score(prepared)
        dynamic = len(dynamic_names(prepared))
        trial = RepairTrial(change, recipe, score, self._holds(score), dynamic=dynamic)
        cost = price(trial.exceptions, self._prices) + RANGE_SEARCH * dynamic
        self.trials.append(replace(trial, price=cost))
        return self.trials[-1]

    def _holds(self, score: MixedScore) -> bool:
        count = len(self.problem.judge.samples)
        if count >= DECISIVE:
            return score.meets(self.problem.limits)
        # One of few samples is more than the limit, and may be chance: the SQNR decides with them.
        lenient = replace(score, agreement=score.agreement + 1 / count)
        if score.accuracy_drop is not None:
            lenient = replace(lenient, accuracy_drop=score.accuracy_drop - 1 / count)
        return lenient.meets(self.problem.limits) and score.sqnr_db >= (REPAIRED_DB if self.trials else HOLDS_DB)


def _place(path: Sequence[ExceptionStep], low: int, missing_db: float) -> int:
    """First place behind `low` whose noise is `missing_db` below that at `low`, to first order."""
    present = path[low].noise_left if low >= 0 else 1.0
    enough = (place for place, step in enumerate(path) if step.noise_left <= present / 10 ** (missing_db / 10))
    return next(enough, len(path) - 1)
