"""`observer = "auto"`: which way of finding ranges does best, judged on calibration data that it was not made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.fx import GraphModule

from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.quantization.observers import METHODS
from edgekit.passes.quantization.range_observer import RangeObserver
from edgekit.passes.quantization.simulate import answers, observers, simulated
from edgekit.specs.compression import Observer

if TYPE_CHECKING:
    from edgekit.passes.base import Sample


@dataclass(frozen=True)
class ObserverScore:
    """How close a quantized program came to the float one on held-out samples."""

    method: Observer
    sqnr_db: float
    agreement: float
    """Share of samples with the same greatest output, in [0, 1]; NaN where outputs are no scores of classes."""
    samples: int

    def __str__(self) -> str:
        agreed = "" if math.isnan(self.agreement) else f", agreement {self.agreement:.4f}"
        return f"{self.sqnr_db:.2f} dB{agreed} on {self.samples} held-out samples"


def halves(count: int) -> tuple[list[int], list[int]]:
    """Which of `count` samples to find ranges on, and which to judge by. Shuffled: a set is often sorted by class."""
    order = [int(index) for index in np.random.default_rng(0).permutation(count)]
    middle = (count + 1) // 2
    return order[:middle], order[middle:]


def scores(prepared: GraphModule, reference: Sequence[Tensor], batches: Sequence[Sample]) -> list[ObserverScore]:
    """A score for every method, of a program calibrated with observers for `auto`; they keep the method they had.

    reference: the float program's outputs on `batches`.
    """
    found = []
    before = [(observer, observer.method) for _, observer in observers(prepared) if isinstance(observer, RangeObserver)]
    for method in METHODS:
        use(prepared, method)
        found.append(_score(method, reference, answers(simulated(prepared), batches)))
    for observer, own in before:
        observer.method = own
    return found


def use(prepared: GraphModule, method: Observer) -> None:
    """Have every observer of activations find its range by `method`."""
    for _, observer in observers(prepared):
        if isinstance(observer, RangeObserver):
            observer.method = method


def _score(method: Observer, reference: Sequence[Tensor], found: Sequence[Tensor]) -> ObserverScore:
    flat = [torch.cat([leaf.ravel().float() for leaf in leaves]).numpy() for leaves in (reference, found)]
    same = [_same(*pair) for pair in zip(reference, found, strict=True) if _is_scores(pair[0])]
    agreement = float(torch.cat(same).float().mean()) if same else math.nan
    return ObserverScore(method, sqnr_db(*flat), agreement, len(reference[0]))


def _is_scores(output: Tensor) -> bool:
    return output.is_floating_point() and output.dim() >= 2 and output.shape[_axis(output)] > 1


def _axis(output: Tensor) -> int:
    """Where the classes are: first of an image, last of anything else."""
    return 1 if output.dim() == 4 else -1


def _same(reference: Tensor, found: Tensor) -> Tensor:
    axis = _axis(reference)
    return (reference.argmax(axis) == found.argmax(axis)).ravel()


def best(found: Sequence[ObserverScore]) -> ObserverScore:
    """The most agreement; among those that chance does not tell from it, the highest SQNR; the first of equals.

    Chance: one standard error of a share of so many samples, and one sample at the least.
    """
    most = max(score.agreement for score in found)
    count = max(found[0].samples, 1)
    slack = 0.0 if math.isnan(most) else max(1 / count, math.sqrt(most * (1 - most) / count))
    close = [score for score in found if math.isnan(most) or score.agreement >= most - slack - 1e-9]
    return max(close, key=lambda score: score.sqnr_db if not math.isnan(score.sqnr_db) else -math.inf)
