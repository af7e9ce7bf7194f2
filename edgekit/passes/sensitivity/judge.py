"""Judge of quantized programs: their answers beside the float program's, on samples held out of calibration."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from edgekit.errors import PassError
from edgekit.ir.measurement import Array
from edgekit.passes.quantization.simulate import answers, batch_of, stacked, unguarded

if TYPE_CHECKING:
    from edgekit.ir.program import Program
    from edgekit.passes.base import Sample


@dataclass(frozen=True)
class Limits:
    """Limits of accuracy for a quantized network against the float one, on held-out samples."""

    agreement: float = 0.0
    """Least share of samples with the same answer, in [0, 1]."""
    accuracy_drop: float = math.inf
    """Largest fall of the share of right answers; needs labels."""
    integer_macs: float = 0.0
    """Least share of the multiply-accumulates that integers are wanted for, in [0, 1]; no part of a score."""


@dataclass(frozen=True)
class MixedScore:
    """Score of one quantized program against the float one."""

    agreement: float
    accuracy_drop: float | None
    """None without labels."""
    sqnr_db: float
    without_worst: tuple[float, float | None]
    """Agreement and accuracy drop without the sample that is answered worst."""

    def meets(self, limits: Limits) -> bool:
        drop_kept = self.accuracy_drop is None or self.accuracy_drop <= limits.accuracy_drop
        return self.agreement >= limits.agreement and drop_kept

    def spared(self) -> MixedScore:
        """Score without the sample that is answered worst."""
        agreement, drop = self.without_worst
        return replace(self, agreement=agreement, accuracy_drop=drop)


class ComparedAnswers(Protocol):
    """Answers of two programs to the same samples."""

    @property
    def agreement(self) -> float:
        """Share of samples with the same answer, in [0, 1]."""
        ...

    @property
    def accuracy_drop(self) -> float | None:
        """Fall of the share of right answers, or of another metric as a share of it; None without labels."""
        ...

    def without_worst(self) -> tuple[float, float | None]:
        """Both without the sample that is answered worst."""
        ...


@dataclass(frozen=True)
class Judge:
    """Score quantized programs against the float one on samples held out of calibration.

    samples: batch 1 each. compared: answers of a reference and of a candidate, from their outputs, [N, …] by name.
    """

    program: Program
    samples: Sequence[Sample]
    compared: Callable[[Mapping[str, Array], Mapping[str, Array]], ComparedAnswers]
    expected: Mapping[str, Array] = field(init=False)
    """Outputs of the float program, [N, …] by name."""

    def __post_init__(self) -> None:
        if not self.samples:
            raise PassError("no calibration sample is left to judge by", hint="state more [data] calibration")
        object.__setattr__(self, "expected", _answers(self.program, self.samples))

    def score(self, outputs: Mapping[str, Array]) -> MixedScore:
        """Score of a quantized program by its outputs on the samples, [N, …] by name."""
        from edgekit.ir.sqnr import sqnr_db

        compared = self.compared(self.expected, outputs)
        real = [name for name, expected in self.expected.items() if expected.dtype.kind == "f"]
        qualities = [sqnr_db(self.expected[name], outputs[name]) for name in real]
        sqnr = min(qualities, default=math.inf)
        return MixedScore(compared.agreement, compared.accuracy_drop, sqnr, compared.without_worst())


def held_out(labels: Array, share: float = 0.25) -> tuple[list[int], list[int]]:
    """Split of a data set into indices to calibrate with and indices to judge by: stratified by class, reproducible.

    labels: int [N]. share: the part to judge by. Each part has at least one index if there are two samples.
    """
    order = np.argsort(labels, kind="stable") if labels.ndim == 1 else np.arange(len(labels))
    step = max(2, round(1 / share))
    judging = set(order[step // 2 :: step].tolist())
    return [i for i in range(len(labels)) if i not in judging], sorted(judging)


def _answers(program: Program, samples: Sequence[Sample]) -> dict[str, Array]:
    """Outputs for every sample, [N, …] by name."""
    module = unguarded(program.exported.module())
    values = answers(module, stacked(samples, batch_of(module, samples)))
    names = [spec.name for spec in program.signature.outputs]
    return {name: value.numpy() for name, value in zip(names, values, strict=True)}
