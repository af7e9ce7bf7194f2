"""Ranges of answers, extended beyond the calibration set where the few values in it would clip later answers.

A classifier answers with two numbers a sample: the largest of 24 samples is exceeded by every 25th sample or so, and
then a logit is wrong by as much as it exceeds the range, where rounding costs a thousandth. Layers between average
over thousands of values; nothing averages over what an answer loses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e import MinMaxObserver, ObserverBase

from edgekit.passes.quantization.range_observer import RangeObserver
from edgekit.passes.quantization.residual_stream import MOVES, RESHAPES

aten = torch.ops.aten
BOUNDED = {aten.clamp.default, aten.hardtanh.default, aten.hardtanh_.default, aten.relu6.default, aten.relu6_.default}
"""Operators whose largest answer is no chance; a kernel may clamp by the range itself."""
FEWEST = 8
"""Least samples from which a distribution of extremes is fitted."""
WIDEST, CANDIDATES = 2.0, 33
"""Largest extension of an end, a bit of resolution at most, and the number of ends that are tried."""
EULER = 0.5772156649


@dataclass
class SampleExtremes:
    """Smallest and largest value of an answer in each sample, and the number of its values."""

    lows: list[float] = field(default_factory=list)
    highs: list[float] = field(default_factory=list)
    values: int = 0

    def record(self, sample: int, x: Tensor) -> None:
        """Record `x` of the sample with that number; one answer may pass several observers, and in parts."""
        if not x.numel():
            return
        low, high = (float(end) for end in torch.aminmax(x))
        if len(self.lows) <= sample:
            self.lows.append(low)
            self.highs.append(high)
        self.lows[-1], self.highs[-1] = min(low, self.lows[-1]), max(high, self.highs[-1])
        self.values = max(self.values, x.numel())


@contextmanager
def answers_extended(prepared: GraphModule) -> Iterator[None]:
    """Record the answers of `prepared` in the samples of the body, each one call, and extend their ranges at its end.

    Only observers of minimum and maximum are changed, in place: other methods clip on purpose.
    """
    extremes = {observer: SampleExtremes() for observer in _answer_observers(prepared)}
    count = -1

    def begin(*_: object) -> None:
        nonlocal count
        count += 1

    def record(observer: Any, _: object, x: Tensor) -> None:
        extremes[observer].record(count, x.detach())

    hooks = [prepared.register_forward_pre_hook(begin)]
    hooks += [observer.register_forward_hook(record) for observer in extremes]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
    for observer, samples in extremes.items():
        if len(samples.lows) >= FEWEST and getattr(observer, "method", "minmax") == "minmax":
            _extend(observer, samples)


def _answer_observers(prepared: GraphModule) -> list[MinMaxObserver]:
    """Observers of values that reach the outputs through moves alone, but for those that an operator bounds."""
    modules = dict(prepared.named_modules(remove_duplicate=False))
    answers: dict[ObserverBase, None] = {}
    waiting = list(prepared.graph.output_node().all_input_nodes)
    while waiting:
        node = waiting.pop()
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, ObserverBase):
            if type(module) in (MinMaxObserver, RangeObserver) and not _is_bounded(node):
                answers[module] = None
            waiting += node.all_input_nodes
        elif node.target in MOVES or node.target in RESHAPES:
            waiting += node.all_input_nodes[:1]
    return list(answers)


def _is_bounded(observed: Node) -> bool:
    source = observed.all_input_nodes[0]
    return source.op in ("placeholder", "get_attr") or source.target in BOUNDED


def _extend(observer: MinMaxObserver, samples: SampleExtremes) -> None:
    symmetric = observer.qscheme is torch.per_tensor_symmetric
    low, high = extended_range(samples, observer.quant_max - observer.quant_min, symmetric)
    observer.min_val.fill_(low)
    observer.max_val.fill_(high)


def extended_range(samples: SampleExtremes, steps: int, symmetric: bool = False) -> tuple[float, float]:
    """Range with the least expected error of later answers: rounding and saturation together, as for clipping ranges.

    Extremes of samples have a Gumbel distribution (Gumbel 1958, Coles 2001), fitted by mean and deviation; where one
    exceeds the end, it is wrong by what it exceeds. Returns (low, high), which hold every recorded value, no end more
    than `WIDEST` times as far from zero as in the samples. steps: integers of the type, less one. symmetric: true if
    zero is in the middle of the range.
    """
    least, most = min(samples.lows), max(samples.highs)
    if not all(map(math.isfinite, (least, most))):
        return least, most
    factors = np.linspace(1, WIDEST, CANDIDATES)
    lows = factors * -least if least < 0 else np.array([-least])
    highs = factors * most if most > 0 else np.array([most])
    below, above = np.maximum(lows, 0)[:, None], np.maximum(highs, 0)[None, :]
    width = 2 * np.maximum(below, above) if symmetric else below + above
    cost = samples.values * (width / steps) ** 2 / 12
    cost = cost + _excess([-low for low in samples.lows], lows)[:, None] + _excess(samples.highs, highs)[None, :]
    row, column = np.unravel_index(int(np.argmin(cost)), cost.shape)
    return -float(lows[row]), float(highs[column])


def _excess(maxima: list[float], ends: Any) -> Any:
    """Expected square by which the maximum of a sample exceeds each of `ends`, float64 of the same shape.

    The tail of the Gumbel distribution beyond m is exp(-(m - mode) / scale): twice its first moment is 2 scale² tail.
    """
    scale = float(np.std(maxima, ddof=1)) * math.sqrt(6) / math.pi
    if len(ends) < 2 or scale == 0:
        return np.zeros(len(ends))
    mode = float(np.mean(maxima)) - EULER * scale
    return 2 * scale**2 * np.exp(-(ends - mode) / scale)
