"""Choice of the observer for `observer = "auto"`: each method calibrates, and held-out calibration samples decide."""

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
    """Closeness of a quantized program to the float one on held-out samples."""

    method: Observer
    sqnr_db: float
    agreement: float
    """Share of samples with the same largest output, in [0, 1]; NaN if the outputs are not scores of classes."""
    samples: int

    def __str__(self) -> str:
        agreed = "" if math.isnan(self.agreement) else f", agreement {self.agreement:.4f}"
        return f"{self.sqnr_db:.2f} dB{agreed} on {self.samples} held-out samples"


def halves(count: int) -> tuple[list[int], list[int]]:
    """Indices of `count` samples in two halves: to calibrate with, and to judge by.

    Shuffled: data may be sorted by class.
    """
    order = [int(index) for index in np.random.default_rng(0).permutation(count)]
    middle = (count + 1) // 2
    return order[:middle], order[middle:]


def scores(prepared: GraphModule, reference: Sequence[Tensor], batches: Sequence[Sample]) -> list[ObserverScore]:
    """Score of every method in `METHODS`, for a program calibrated with `RangeObserver`s, whose method stays as it was.

    reference: the float program's outputs on `batches`, held-out samples.
    """
    scored = []
    before = [(observer, observer.method) for _, observer in observers(prepared) if isinstance(observer, RangeObserver)]
    for method in METHODS:
        use(prepared, method)
        scored.append(_score(method, reference, answers(simulated(prepared), batches)))
    for observer, own in before:
        observer.method = own
    return scored


def use(prepared: GraphModule, method: Observer) -> None:
    """Set the method by which every observer of activations finds its range."""
    for _, observer in observers(prepared):
        if isinstance(observer, RangeObserver):
            observer.method = method


def _score(method: Observer, reference: Sequence[Tensor], outputs: Sequence[Tensor]) -> ObserverScore:
    flat = [torch.cat([leaf.ravel().float() for leaf in leaves]).numpy() for leaves in (reference, outputs)]
    same = [_same(*pair) for pair in zip(reference, outputs, strict=True) if _is_scores(pair[0])]
    agreement = float(torch.cat(same).float().mean()) if same else math.nan
    return ObserverScore(method, sqnr_db(*flat), agreement, len(reference[0]))


def _is_scores(output: Tensor) -> bool:
    return output.is_floating_point() and output.dim() >= 2 and output.shape[_axis(output)] > 1


def _axis(output: Tensor) -> int:
    """Axis of the classes: 1 for images, the last for all else."""
    return 1 if output.dim() == 4 else -1


def _same(reference: Tensor, output: Tensor) -> Tensor:
    axis = _axis(reference)
    return (reference.argmax(axis) == output.argmax(axis)).ravel()


def best(scored: Sequence[ObserverScore]) -> ObserverScore:
    """Best score: the highest SQNR among those whose agreement is within chance of the highest; the first of equals.

    Chance is one standard error of a share of that many samples, and one sample at least.
    """
    most = max(score.agreement for score in scored)
    count = max(scored[0].samples, 1)
    slack = 0.0 if math.isnan(most) else max(1 / count, math.sqrt(most * (1 - most) / count))
    close = [score for score in scored if math.isnan(most) or score.agreement >= most - slack - 1e-9]
    return max(close, key=lambda score: score.sqnr_db if not math.isnan(score.sqnr_db) else -math.inf)
