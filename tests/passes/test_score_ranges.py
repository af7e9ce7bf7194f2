"""Ranges of attention scores: a mask's constant is no part of them, unless something else reads it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.fx import Graph, GraphModule
from torchao.quantization.pt2e import MinMaxObserver

from edgekit.passes.quantization.range_observer import RangeObserver
from edgekit.passes.quantization.score_ranges import NOTHING, scores_clipped

aten = torch.ops.aten


def attention(also_answered: bool = False, method: str | None = None) -> GraphModule:
    """Observed scores [rows, keys] of a softmax along the keys; answered, too, if `also_answered`."""
    root = nn.Module()
    root.scores = MinMaxObserver() if method is None else RangeObserver(method=method)
    graph = Graph()
    observed = graph.call_module("scores", (graph.placeholder("x"),))
    weights = graph.call_function(aten.softmax.int, (observed, -1))
    graph.output((weights, observed) if also_answered else (weights,))
    return GraphModule(root, graph)


def cached_attention() -> GraphModule:
    """Softmax of scores in two parts, past and own, that share an observer with what joins them."""
    root = nn.Module()
    root.scores = root.past = root.own = MinMaxObserver()  # under a name for each place, as torchao does it
    graph = Graph()
    past, own = (graph.call_module(name, (graph.placeholder(name),)) for name in ("past", "own"))
    joined = graph.call_module("scores", (graph.call_function(aten.cat.default, ([past, own], -1)),))
    graph.output((graph.call_function(aten.softmax.int, (joined, -1)),))
    return GraphModule(root, graph)


def range_of(prepared: GraphModule) -> tuple[float, float]:
    observer: Any = prepared.scores
    return float(observer.min_val), float(observer.max_val)


def masked(*maxima: float) -> torch.Tensor:
    rows = torch.zeros(len(maxima), 8)
    rows[:, 0] = torch.tensor(maxima)
    rows[:, 4:] = -1e4
    return rows


@pytest.mark.parametrize("method", [None, "minmax"])
def test_a_mask_is_no_part_of_the_range(method: str | None) -> None:
    prepared = attention(method=method)
    with scores_clipped(prepared):
        prepared(masked(3.0, 7.0))
        prepared(masked(5.0, 1.5))
    assert range_of(prepared) == (1.5 - NOTHING, 7.0)


def test_a_part_that_is_masked_as_a_whole_is_no_row() -> None:
    prepared = cached_attention()
    with scores_clipped(prepared):
        prepared(torch.full((2, 4), -1e4), masked(3.0, 7.0))
        prepared(masked(9.0, 1.0), masked(2.0, 4.0))
    assert range_of(prepared) == (3.0 - NOTHING, 9.0)


def test_scores_that_are_no_further_apart_keep_their_range() -> None:
    prepared, scores = attention(), torch.linspace(-4, 4, 64).reshape(8, 8)
    with scores_clipped(prepared):
        prepared(scores)
    assert range_of(prepared) == (-4.0, 4.0)


def test_values_that_are_answered_and_rows_masked_as_a_whole_keep_the_range() -> None:
    for prepared, scores in ((attention(also_answered=True), masked(3.0)), (attention(), torch.full((2, 4), -1e4))):
        with scores_clipped(prepared):
            prepared(scores)
        assert range_of(prepared)[0] == -1e4


def test_softmaxes_of_a_clipped_range_are_the_same() -> None:
    scores = masked(3.0, 7.0, -5.0)
    clipped = scores.clamp(min=-5.0 - NOTHING)
    torch.testing.assert_close(clipped.softmax(-1), scores.softmax(-1), atol=2e-9, rtol=1e-6)
