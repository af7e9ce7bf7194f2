"""Ranges of attention scores, without the constant that a mask adds to those that do not count.

A mask of -10,000 makes the range of the scores 10,000 wide and a step of 8 bits 40, while the softmax behind it takes
everything that is 20 below the largest score of its row for nothing: exp(-20) is 2e-9.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torchao.quantization.pt2e import MinMaxObserver

from edgekit.passes.attention.selection import is_softmax
from edgekit.passes.quantization.range_observer import RangeObserver
from edgekit.passes.quantization.residual_stream import MOVES, RESHAPES

NOTHING = 20.0
"""Distance from the largest score of a row beyond which the softmax is nothing."""
PASSED = {*MOVES, *RESHAPES, torch.ops.aten.cat.default}
"""Operators that hand scores on as they are."""


@contextmanager
def scores_clipped(prepared: GraphModule) -> Iterator[None]:
    """Record the scores of `prepared` in the samples of the body, and clip their ranges at its end, in place.

    A range then ends `NOTHING` below the lowest maximum of a row. Only observers of minimum and maximum are changed,
    and of values that nothing but softmaxes read. A row that is masked as a whole keeps the range as it was.
    """
    places = _places(prepared)
    lowest: dict[Node, float] = {}
    turns = {observer: itertools.cycle(nodes) for observer, nodes in places.items()}

    def record(observer: Any, _: object, scores: Tensor) -> None:
        place = next(turns[observer])
        for softmax in filter(is_softmax, place.users):
            if scores.numel():
                axis: Any = softmax.args[1]
                maximum = float(scores.detach().amax(axis).min())
                lowest[softmax] = min(lowest.get(softmax, math.inf), maximum)

    hooks = [observer.register_forward_hook(record) for observer in places]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
    for observer, nodes in places.items():
        softmaxes = _softmaxes(nodes)
        if softmaxes and softmaxes <= lowest.keys() and getattr(observer, "method", "minmax") == "minmax":
            observer.min_val.clamp_(min=min(lowest[softmax] for softmax in softmaxes) - NOTHING)


def _places(prepared: GraphModule) -> dict[MinMaxObserver, list[Node]]:
    """Nodes of each observer of minimum and maximum, in the order in which they run: values may share an observer."""
    modules = dict(prepared.named_modules(remove_duplicate=False))
    places: dict[MinMaxObserver, list[Node]] = {}
    for node in prepared.graph.nodes:
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, MinMaxObserver) and type(module) in (MinMaxObserver, RangeObserver):
            places.setdefault(module, []).append(node)
    return places


def _softmaxes(observed: list[Node]) -> set[Node]:
    """Softmaxes that read the observed values; none if anything else does."""
    softmaxes: set[Node] = set()
    waiting = [user for node in observed for user in (*node.users, *node.all_input_nodes[0].users)]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        if is_softmax(node):
            softmaxes.add(node)
        elif node.target in PASSED or node.op == "call_module":  # an observer
            waiting += [user for user in node.users if user not in seen]
            seen.update(node.users)
        else:
            return set()
    return softmaxes
