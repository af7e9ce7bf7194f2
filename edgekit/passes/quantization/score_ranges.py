"""Ranges of attention scores, without the constant that a mask adds to those that do not count.

A mask of -10,000 makes the range of the scores 10,000 wide and a step of 8 bits 40, while the softmax behind it takes
everything that is 20 below the largest score of its row for nothing: exp(-20) is 2e-9.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from torch import Tensor
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e import MinMaxObserver

from edgekit.passes.attention.selection import is_softmax
from edgekit.passes.quantization.range_observer import RangeObserver

NOTHING = 20.0
"""Distance from the largest score of a row beyond which the softmax is nothing."""


@contextmanager
def scores_clipped(prepared: GraphModule) -> Iterator[None]:
    """Record the scores of `prepared` in the samples of the body, and clip their ranges at its end, in place.

    A range then ends `NOTHING` below the lowest maximum of a row. Only observers of minimum and maximum are changed,
    and of values that nothing but softmaxes read. A row that is masked as a whole keeps the range as it was.
    """
    lowest: dict[Any, float] = {}

    def recorder(axis: int) -> Callable[[Any, object, Tensor], None]:
        def record(observer: Any, _: object, scores: Tensor) -> None:
            if scores.numel():
                maximum = float(scores.detach().amax(axis).min())
                lowest[observer] = min(lowest.get(observer, math.inf), maximum)

        return record

    hooks = [observer.register_forward_hook(recorder(axis)) for observer, axis in _score_observers(prepared)]
    try:
        yield
    finally:
        for each in hooks:
            each.remove()
    for observer, maximum in lowest.items():
        if getattr(observer, "method", "minmax") == "minmax":
            observer.min_val.clamp_(min=maximum - NOTHING)


def _score_observers(prepared: GraphModule) -> Iterator[tuple[MinMaxObserver, int]]:
    """Observers of values that softmaxes along one axis read, and nothing else, with that axis."""
    modules = dict(prepared.named_modules())
    places: dict[Any, list[Node]] = {}
    for node in prepared.graph.nodes:
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if type(module) in (MinMaxObserver, RangeObserver):
            places.setdefault(module, []).append(node)
    for observer, nodes in places.items():
        readers = [
            user for node in nodes for user in (*node.users, *node.all_input_nodes[0].users) if user not in nodes
        ]
        axes = {reader.args[1] for reader in readers if is_softmax(reader)}
        if len(axes) == 1 and all(map(is_softmax, readers)):
            yield observer, cast("int", axes.pop())
