"""Mixed precision: the fewest layers left in float with which an int8 network is good enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils import _pytree as pytree

from edgekit.errors import PassError
from edgekit.ir.layers import Layer
from edgekit.ir.measurement import Array
from edgekit.passes.sensitivity.analysis import sensitivity
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from edgekit.ir.program import Program
    from edgekit.passes.base import Sample
    from edgekit.passes.quantization.quantize import Quantization


@dataclass(frozen=True)
class Limits:
    """What a quantized network must keep of the float one, on samples that it was not calibrated with."""

    agreement: float = 0.0
    """Least share of the samples that both answer alike, in [0, 1]."""
    accuracy_drop: float = math.inf
    """Most that the share of right answers may fall; asks for labels."""


@dataclass(frozen=True)
class MixedScore:
    """How one quantized program did."""

    agreement: float
    accuracy_drop: float | None
    """None without labels."""
    sqnr_db: float

    def meets(self, limits: Limits) -> bool:
        drop_kept = self.accuracy_drop is None or self.accuracy_drop <= limits.accuracy_drop
        return self.agreement >= limits.agreement and drop_kept


@dataclass(frozen=True)
class MixedPrecisionTrial:
    """One evaluation: which modules were left in float, and what came of it."""

    kept: tuple[str, ...]
    score: MixedScore
    met: bool


@dataclass(frozen=True)
class MixedPrecisionResult:
    """The recipe with its overrides, and what was tried on the way, in order."""

    recipe: Quantize
    tried: tuple[MixedPrecisionTrial, ...]

    @property
    def met(self) -> bool:
        """Whether the recipe keeps the limits."""
        return any(trial.met for trial in self.tried)


@dataclass(frozen=True)
class Judge:
    """Scores a quantized program against the float one on samples held out of calibration.

    samples: batch 1 each. labels: int [N] classes, or None. The first output holds one score a class, [1, classes].
    """

    program: Program
    samples: Sequence[Sample]
    labels: Array | None
    expected: Array = field(init=False)
    """float [N, …]: what the float program answers."""

    def __post_init__(self) -> None:
        if not self.samples:
            raise PassError("no calibration sample is left to judge by", hint="state more [data] calibration")
        object.__setattr__(self, "expected", _answers(self.program, self.samples))

    def __call__(self, quantized: Program) -> MixedScore:
        from edgekit.ir.sqnr import sqnr_db

        got = _answers(quantized, self.samples)
        wanted, answers = self.expected.argmax(-1), got.argmax(-1)
        drop = None
        if self.labels is not None:
            drop = float(np.mean(wanted == self.labels) - np.mean(answers == self.labels))
        return MixedScore(float(np.mean(wanted == answers)), drop, sqnr_db(self.expected, got))


def held_out(labels: Array, share: float = 0.25) -> tuple[list[int], list[int]]:
    """Indices that calibrate, and indices that judge: of every class its share, the same every time.

    labels: int [N]. At least one index goes to each side where there are two.
    """
    order = np.argsort(labels, kind="stable") if labels.ndim == 1 else np.arange(len(labels))
    step = max(2, round(1 / share))
    judging = set(order[step // 2 :: step].tolist())
    return [i for i in range(len(labels)) if i not in judging], sorted(judging)


def search(
    program: Program,
    recipe: Quantize,
    quantization: Callable[[Quantize], Quantization],
    samples: Sequence[Sample],
    judge: Judge,
    limits: Limits,
    evaluations: int = 8,
) -> MixedPrecisionResult:
    """`recipe` with the fewest overrides to float32 with which the quantized program keeps `limits`.

    Int8 alone is tried first. Then the layers are ordered by what they lose (the noise each adds when it alone is
    quantized, as in HAWQ, Dong et al. 2019, with measured noise in place of a Hessian), the least number of them that
    keeps the limits is found by bisection, and while evaluations are left single layers are given back. At most
    `evaluations` programs are quantized. If nothing keeps the limits, the best that was tried is returned.
    """
    trials = _Trials(program, recipe, quantization, samples, judge, limits, evaluations)
    if trials.run(()) or evaluations == 1:
        return trials.found()
    ordered = by_loss(sensitivity(program, recipe, quantization, samples, judge.samples))
    enough = _bisect(trials, ordered)
    if enough:
        _give_back(trials, enough)
    return trials.found()


def by_loss(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Modules that can be left in float by name, the one that loses most first.

    What a layer loses by its inputs stays lost unless those that round them are left in float too: they follow it.
    """
    names = {layer.name for layer in layers}
    by_node = {layer.node: layer for layer in layers}
    losses: dict[str, float] = {}
    for layer in layers:
        sources = [by_node[node] for node in layer.inputs if node in by_node]
        shares = [(layer, layer.output_sqnr_db), *((source, layer.by_inputs_db) for source in sources)]
        for one, sqnr_db in shares if layer.quantized else ():
            # A name that others begin with would take those along; the network itself has none.
            whole = any(other.startswith(f"{one.name}.") for other in names)
            if sqnr_db is not None and one.quantized and one.name and one.kind != "input" and not whole:
                losses[one.name] = max(-sqnr_db, losses.get(one.name, -math.inf))
    return tuple(sorted(losses, key=lambda name: -losses[name]))


def with_float(recipe: Quantize, kept: Sequence[str]) -> Quantize:
    """The recipe with these modules in float, whatever it says of them."""
    overrides = {**recipe.overrides, **dict.fromkeys(kept, "float32")}
    return Quantize.model_validate({**recipe.model_dump(exclude_unset=True), "overrides": overrides})


def _bisect(trials: _Trials, ordered: Sequence[str]) -> tuple[str, ...]:
    """The least number of layers, from the front, that is known to be enough; empty if none was found."""
    low, high = 0, len(ordered) + 1
    found: tuple[str, ...] = ()
    step = max(1, len(ordered) // 8)  # few layers lose most: from below
    while trials.left and high - low > 1:
        middle = min(low + step, high - 1) if not found else (low + high) // 2
        if trials.run(ordered[:middle]):
            high, found = middle, tuple(ordered[:middle])
        else:
            low, step = middle, step * 2
    return found


def _give_back(trials: _Trials, enough: tuple[str, ...]) -> None:
    """Back to int8 with each layer that is not needed, the one that loses least first."""
    for name in reversed(enough):
        if not trials.left or len(enough) == 1:
            return
        fewer = tuple(other for other in enough if other != name)
        if trials.run(fewer):
            enough = fewer


@dataclass
class _Trials:
    program: Program
    recipe: Quantize
    quantization: Callable[[Quantize], Quantization]
    samples: Sequence[Sample]
    judge: Judge
    limits: Limits
    left: int
    tried: list[MixedPrecisionTrial] = field(default_factory=list)

    def run(self, kept: Sequence[str]) -> bool:
        """Quantize with these modules in float, and judge."""
        self.left -= 1
        recipe = with_float(self.recipe, kept) if kept else self.recipe
        score = self.judge(_quantized(self.program, recipe, self.quantization, self.samples))
        self.tried.append(MixedPrecisionTrial(tuple(kept), score, score.meets(self.limits)))
        return self.tried[-1].met

    def found(self) -> MixedPrecisionResult:
        met = [trial for trial in self.tried if trial.met]
        best = min(met, key=lambda trial: len(trial.kept)) if met else max(self.tried, key=_quality)
        recipe = with_float(self.recipe, best.kept) if best.kept else self.recipe
        return MixedPrecisionResult(recipe, tuple(self.tried))


def _quality(trial: MixedPrecisionTrial) -> tuple[float, float, int]:
    return trial.score.agreement, trial.score.sqnr_db, -len(trial.kept)


def _quantized(
    program: Program, recipe: Quantize, quantization: Callable[[Quantize], Quantization], samples: Sequence[Sample]
) -> Program:
    from edgekit.passes.quantization.quantize import quantize

    return quantize(program, recipe, quantization, samples, samples[:1])


def _answers(program: Program, samples: Sequence[Sample]) -> Array:
    """float [N, …]: the first output for every sample."""
    module = program.exported.module()
    with torch.no_grad():
        return np.concatenate([pytree.tree_leaves(module(*sample))[0].numpy() for sample in samples])
