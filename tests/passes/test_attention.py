"""Attention and masks in forms that delegates take: the operators that result, and the same answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node
from torch.nn.functional import scaled_dot_product_attention

from edgekit.frontend.computed_weights import tensor
from edgekit.passes.attention.batch_matmul import decompose_stacked_products
from edgekit.passes.attention.broadcast import drop_expands
from edgekit.passes.attention.constant_layout import store_contiguously
from edgekit.passes.attention.forms import rewritten
from edgekit.passes.attention.permutation import join_permutations
from edgekit.passes.attention.scaled_dot_product import decompose_attention
from edgekit.passes.attention.selection import decompose_selections

LEAST = torch.finfo(torch.float32).min
QUERY = torch.randn((1, 2, 3, 4), generator=torch.Generator().manual_seed(1))
FUNCTION = Callable[..., Tensor]


class Called(nn.Module):
    """Network that is one function."""

    def __init__(self, function: FUNCTION) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs)


def module_of(function: FUNCTION, *inputs: Tensor) -> GraphModule:
    module = torch.export.export(Called(function), inputs).module()
    assert isinstance(module, GraphModule)
    return module


def text(module: GraphModule) -> str:
    """Calls of a graph, one a line: `result = operator(operands)`; assertions of torch.export are left out."""
    lines = []
    for node in module.graph.nodes:
        if node.op == "call_function" and "_assert" not in str(node.target) and "_guards" not in node.name:
            operands = ", ".join(each.name if isinstance(each, Node) else str(each) for each in node.args)
            lines.append(f"{node.name} = {str(node.target).split('.')[1]}({operands})")
    return "\n".join(lines)


def after(rewrite: Callable[[GraphModule], None], function: FUNCTION, *inputs: Tensor) -> str:
    """Calls after a rewrite, which must leave the function as it is."""
    module = module_of(function, *inputs)
    expected = function(*inputs)
    rewrite(module)
    torch.testing.assert_close(module(*inputs), expected)
    return text(module)


def attention(mask: Tensor | None = None, **options: bool) -> FUNCTION:
    return lambda query: scaled_dot_product_attention(query, query + 1, query - 1, mask, **options)


def test_attention_is_two_products_and_a_plain_softmax() -> None:
    calls = after(decompose_attention, attention(), QUERY)
    assert calls.splitlines()[-4:] == [
        "transpose_int = transpose(add, -2, -1)",
        "matmul_default = matmul(mul_tensor, transpose_int)",
        "softmax_int = softmax(matmul_default, -1)",
        "matmul_default_1 = matmul(softmax_int, sub)",
    ]


def test_a_mask_without_infinity_is_added_and_no_row_is_looked_at() -> None:
    def masked(query: Tensor, mask: Tensor) -> Tensor:
        bias = (1.0 - mask[:, None, None, :].to(torch.float32)) * LEAST
        first = scaled_dot_product_attention(query, query, query, bias)
        return scaled_dot_product_attention(first, query, query, bias)

    calls = after(decompose_attention, masked, QUERY, torch.tensor([[1, 1, 0]]))
    assert [line for line in calls.splitlines() if " = softmax" in line or " = add" in line] == [
        "add_tensor = add(matmul_default, mul)",
        "softmax_int = softmax(add_tensor, -1)",
        "add_tensor_1 = add(matmul_default_2, mul)",
        "softmax_int_1 = softmax(add_tensor_1, -1)",
    ]


@pytest.mark.parametrize("rows", ["some", "none"], ids=["whole rows masked", "no column counts"])
@pytest.mark.parametrize("kind", ["booleans", "infinity"])
def test_rows_that_are_masked_as_a_whole_have_weights_of_0_and_the_mask_is_computed_once(rows: str, kind: str) -> None:
    counts = torch.ones(1, 1, 3, 3, dtype=torch.bool)
    counts[..., 0 if rows == "some" else slice(None), :] = False
    counts[..., 2, 1] = False

    def masked(query: Tensor, mask: Tensor) -> Tensor:
        mask = mask if kind == "booleans" else torch.zeros(1, 1, 3, 3).masked_fill(~mask, -torch.inf)
        first = scaled_dot_product_attention(query, query, query, mask)
        return scaled_dot_product_attention(first + query, query, query, mask)

    calls = after(decompose_attention, masked, QUERY, counts).splitlines()
    assert sum(" = to(" in line for line in calls) == 1
    assert sum(" = softmax(" in line for line in calls) == 2
    assert not any(" = ne(" in line for line in calls) or kind == "infinity"


def test_constant_masks_are_folded_and_causal_ones_shared() -> None:
    def causal(query: Tensor) -> Tensor:
        first = scaled_dot_product_attention(query, query, query, is_causal=True)
        return scaled_dot_product_attention(first, query, query, is_causal=True)

    assert after(decompose_attention, causal, QUERY).count("attention_constant_0") == 2
    lower = torch.ones(3, 3, dtype=torch.bool).tril()
    for mask in (lower, torch.zeros(3, 3).masked_fill(~lower, -torch.inf), torch.randn(3, 3), lower.triu()):
        calls = after(decompose_attention, attention(mask), QUERY)
        assert calls.count(" = softmax(") == 1
        assert not any(name in calls for name in ("where(", "ne(", "to(", "masked_fill("))


def test_heads_that_share_a_key_are_rows_of_one_product() -> None:
    heads = torch.cat([QUERY, QUERY * 2], 1)
    calls = after(
        decompose_attention, lambda q, k: scaled_dot_product_attention(q, k, k, enable_gqa=True), heads, QUERY
    )
    assert calls.count(" = matmul(") == 2
    assert "expand" not in calls
    assert "repeat" not in calls


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")
def test_a_view_behind_attention_with_a_parameter_as_bias_can_be_decomposed() -> None:
    class Windows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.randn(1, 2, 3, 3))

        def forward(self, x: Tensor) -> Tensor:
            return scaled_dot_product_attention(x, x, x, self.bias).transpose(1, 2).flatten(2)

    with torch.no_grad():
        exported = torch.export.export(Windows(), (QUERY,))
        expected = exported.module()(QUERY)
        decomposed = rewritten(exported, (decompose_attention,)).run_decompositions()
    torch.testing.assert_close(decomposed.module()(QUERY), expected)


def test_a_product_of_stacks_is_a_bmm_without_expansions() -> None:
    assert after(decompose_stacked_products, lambda x: x @ x.transpose(2, 3), QUERY) == (
        "transpose = transpose(inputs_0, 2, 3)\n"
        "reshape_default = reshape(inputs_0, [2, 3, 4])\n"
        "reshape_default_1 = reshape(transpose, [2, 4, 3])\n"
        "bmm_default = bmm(reshape_default, reshape_default_1)\n"
        "reshape_default_2 = reshape(bmm_default, [1, 2, 3, 3])"
    )
    assert "bmm" not in after(decompose_stacked_products, lambda x: x @ torch.ones(1, 1, 4, 3), QUERY)


def test_expansions_go_where_the_shape_is_there_or_made_by_the_reader() -> None:
    assert after(drop_expands, lambda x: x.expand(1, -1, -1, -1) + 1, QUERY) == "add = add(inputs_0, 1)"
    assert after(drop_expands, lambda x: x / x.mean(3, keepdim=True).expand_as(x), QUERY) == (
        "mean = mean(inputs_0, [3], True)\ndiv = div(inputs_0, mean)"
    )
    assert "expand" in after(drop_expands, lambda x: x.expand(4, -1, -1, -1) + 1, QUERY)


def test_permutations_that_follow_each_other_are_one() -> None:
    assert after(join_permutations, lambda x: x.transpose(1, 2).transpose(-2, -1) + 1, QUERY) == (
        "transpose = permute(inputs_0, [0, 2, 3, 1])\nadd = add(transpose, 1)"
    )
    assert (
        after(join_permutations, lambda x: x.transpose(1, 2) + x.transpose(1, 2).transpose(2, 3).sum(), QUERY).count(
            " = permute("
        )
        == 1
    )


def test_constants_that_lie_in_memory_as_pictures_channels_last_are_stored_anew() -> None:
    permuted = torch.randn(3, 4, 2).permute(2, 0, 1)[None]
    module = module_of(lambda x: x + permuted, QUERY)
    expected = module(QUERY)
    store_contiguously(module)
    (read,) = (node for node in module.graph.nodes if node.op == "get_attr")
    assert tensor(module, read).is_contiguous()
    assert text(module) == f"add = add(inputs_0, {read.name})"
    torch.testing.assert_close(module(QUERY), expected)


def test_a_selection_is_arithmetic_with_one_condition_for_all() -> None:
    order = torch.arange(4)

    def cached(x: Tensor, position: Tensor) -> Tensor:
        late = (order > position).reshape(1, 1, 1, 4)
        scores = torch.where(late, -1e4, x)
        return scores.masked_fill(late, -torch.inf).softmax(-1) + torch.where(late, x + 1, x)

    calls = after(decompose_selections, cached, QUERY, torch.tensor([1]))
    assert calls.count(" = to(") == 1
    assert "where" not in calls
    assert "masked_fill" not in calls


def test_a_selection_that_guards_against_infinity_stays() -> None:
    assert "where" in after(decompose_selections, lambda x: torch.where(x > 0, x.log(), x), QUERY)
