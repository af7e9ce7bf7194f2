"""Precision repair: where plain int8 misses its limits, other ranges, then the fewest operators in float.

Everything is judged on samples held out of calibration, by fake quantization: nothing is converted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edgekit.errors import Misfit, PassError
from edgekit.passes.sensitivity.exceptions import ExceptionStep, exception_path, joint_roundings, work_shares
from edgekit.passes.sensitivity.mixed_precision import Judge, Limits, MixedScore, with_float
from edgekit.passes.sensitivity.noise_shares import noise_shares
from edgekit.passes.sensitivity.simulation import calibrated_program, simulated_outputs
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from torch.fx import GraphModule

    from edgekit.ir.program import Program
    from edgekit.passes.base import Sample
    from edgekit.passes.quantization.quantize import Quantization

TRIES, SECONDS = 10, 300.0
"""Most recipes that are tried after the plain one, and the time after which no further one begins."""
FIT, PROBED = 128, 8
"""Most samples that calibrate in the search, and on which the noise of each rounding is measured."""
HOLDS_DB, REPAIRED_DB = 25.0, 27.0
"""Least SQNR of plain int8, and of a repaired recipe, where too few samples are held out to tell the agreement.

On other samples a recipe that was chosen by these few is up to 2 dB worse.
"""
DECISIVE = 100
"""Number of held-out samples from which agreement alone decides: one of them is a hundredth."""
GAIN_DB = 0.5
"""Least gain of a recipe without more exceptions: less is chance."""
STEPS, STEP_DB = 6, 1.0
"""Most trials with operators in float, and the least gain that a next one aims at."""


@dataclass(frozen=True)
class RepairTrial:
    """One recipe and its score."""

    change: str
    """Difference from plain int8, in words."""
    recipe: Quantize
    score: MixedScore
    met: bool

    @property
    def exceptions(self) -> tuple[str, ...]:
        """Operators in float."""
        return tuple(name for name, precision in self.recipe.overrides.items() if precision == "float32")


@dataclass(frozen=True)
class RepairResult:
    """Recipe that was chosen, all trials in order, the plain one first, and the noisiest rounding of the plain one."""

    trials: tuple[RepairTrial, ...]
    chosen: RepairTrial
    worst: str = ""
    """Value whose rounding makes most of the noise; empty if it was not measured."""
    worst_share: float = 0.0
    samples: int = 0
    """Number of held-out samples."""

    @property
    def plain(self) -> RepairTrial:
        return self.trials[0]


def repaired(
    program: Program,
    recipe: Quantize,
    quantization: Callable[[Quantize], Quantization],
    samples: Sequence[Sample],
    judge: Judge,
    limits: Limits,
) -> RepairResult:
    """Find the recipe with the fewest operators in float that keeps `limits`; the best one if none does.

    Plain int8 comes first, and ends the search if it holds: if it keeps the limits. Where fewer than `DECISIVE` samples
    are held out, it must have `HOLDS_DB` too, and one sample more may be answered otherwise. samples: calibrate, batch
    1 each; at most `FIT`, spread evenly.
    """
    search = _Repair(program, recipe, quantization, samples[:: -(-len(samples) // FIT)], judge, limits)
    return search.result()


@dataclass
class _Repair:
    """State of one search."""

    program: Program
    recipe: Quantize
    quantization: Callable[[Quantize], Quantization]
    samples: Sequence[Sample]
    judge: Judge
    limits: Limits
    trials: list[RepairTrial] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def result(self) -> RepairResult:
        prepared = self._prepared(self.recipe)
        plain = self._judged("plain", self.recipe, prepared)
        if plain.met:
            return self._result(plain)
        shares = noise_shares(prepared, self.samples[:PROBED])
        worst = next(iter(joint_roundings(prepared, shares)), None)
        named = (worst.value, worst.noise / sum(shares.values())) if worst else ("", 0.0)
        base, prepared = self._ranged(plain, prepared)
        if not base.met:
            self._excepted(base, prepared)
        met = [trial for trial in self.trials if trial.met]
        best = min(met, key=lambda trial: len(trial.exceptions)) if met else max(self.trials, key=_quality)
        return self._result(best, *named)

    def _result(self, chosen: RepairTrial, worst: str = "", share: float = 0.0) -> RepairResult:
        return RepairResult(tuple(self.trials), chosen, worst, share, len(self.judge.samples))

    @property
    def _is_left(self) -> bool:
        return len(self.trials) <= TRIES and time.monotonic() - self.started < SECONDS

    def _ranged(self, base: RepairTrial, prepared: GraphModule) -> tuple[RepairTrial, GraphModule]:
        """Best recipe without exceptions: other ranges, equalization, SmoothQuant; each is kept if it gains."""
        for change, recipe in self._variants(base.recipe):
            if base.met or not self._is_left:
                break
            changed = base.recipe.model_copy(update=recipe)
            try:
                candidate = self._prepared(changed)
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

        module = self.program.exported.module()
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

    def _excepted(self, base: RepairTrial, prepared: GraphModule) -> None:
        """Find the shortest beginning of the path of exceptions with which the limits hold."""
        shares = noise_shares(prepared, self.samples[:PROBED])
        path = exception_path(joint_roundings(prepared, shares), work_shares(prepared))
        low, high, last = -1, len(path), base
        for _ in range(STEPS):
            if high - low < 2 or not self._is_left:
                return
            missing_db = max(REPAIRED_DB - last.score.sqnr_db, STEP_DB) if not last.met else 0.0
            place = _place(path, low, missing_db) if high == len(path) else (low + high) // 2
            place = min(max(place, low + 1), high - 1)
            trial = self._with_float(base, path[place].operators)
            if trial is None:
                return
            low, high, last = (low, place, trial) if trial.met else (place, high, trial)

    def _with_float(self, base: RepairTrial, operators: Sequence[str]) -> RepairTrial | None:
        """Trial with operators in float; None if the network does not take it."""
        recipe = with_float(base.recipe, operators)
        count = f"{len(operators)} operator{'s' if len(operators) > 1 else ''} in float"
        try:
            prepared = self._prepared(recipe)
        except (Misfit, PassError):
            return None
        return self._judged(count if base.change == "plain" else f"{base.change}, {count}", recipe, prepared)

    def _prepared(self, recipe: Quantize) -> GraphModule:
        return calibrated_program(self.program, recipe, self.quantization, self.samples)

    def _judged(self, change: str, recipe: Quantize, prepared: GraphModule) -> RepairTrial:
        score = self.judge.score(simulated_outputs(self.program, prepared, self.judge.samples))
        self.trials.append(RepairTrial(change, recipe, score, self._holds(score)))
        return self.trials[-1]

    def _holds(self, score: MixedScore) -> bool:
        count = len(self.judge.samples)
        if count >= DECISIVE:
            return score.meets(self.limits)
        # One of few samples is more than the limit, and may be chance: the SQNR decides with them.
        lenient = replace(score, agreement=score.agreement + 1 / count)
        if score.accuracy_drop is not None:
            lenient = replace(lenient, accuracy_drop=score.accuracy_drop - 1 / count)
        return lenient.meets(self.limits) and score.sqnr_db >= (REPAIRED_DB if self.trials else HOLDS_DB)


def _place(path: Sequence[ExceptionStep], low: int, missing_db: float) -> int:
    """First place behind `low` whose noise is `missing_db` below that at `low`, to first order."""
    present = path[low].noise_left if low >= 0 else 1.0
    enough = (place for place, step in enumerate(path) if step.noise_left <= present / 10 ** (missing_db / 10))
    return next(enough, len(path) - 1)


def _quality(trial: RepairTrial) -> tuple[float, float, int]:
    return trial.score.agreement, trial.score.sqnr_db, -len(trial.exceptions)
