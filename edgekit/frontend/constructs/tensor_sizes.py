"""Values and sizes that are known only on the device: the network can be traced, and few converters take it."""

from __future__ import annotations

import ast

from edgekit.frontend.constructs.construct import CaptureFailure, Construct

SIZED = ("torch.zeros", "torch.ones", "torch.full", "torch.empty", "torch.arange", "torch.eye", ".topk", "torch.topk")
"""Functions that take the size of their result."""


def _has(failure: CaptureFailure, *operators: str) -> bool:
    return any(failure.operator.startswith(f"aten.{name}.") for name in operators)


def _called(failure: CaptureFailure, *names: str) -> bool:
    return bool(failure.operator) and bool(set(names) & failure.syntax.calls)


def _is_slice(failure: CaptureFailure) -> bool:
    parts = failure.syntax.expressions() if failure.operator else ()
    bounds = [bound for part in parts if isinstance(part, ast.Slice) for bound in (part.lower, part.upper)]
    return any(bound is not None and not isinstance(bound, ast.Constant) for bound in bounds)


SIZES = (
    Construct(
        "nonzero",
        "the positions where a tensor is not zero, as many as there are",
        "x[mask.nonzero()]  or  torch.where(mask)",
        "keep every position and mask it, torch.where(mask, x, 0), or take a fixed number of the best: "
        "values, positions = score.topk(10)",
        lambda failure: _has(failure, "nonzero", "nonzero_numpy", "argwhere", "where"),
    ),
    Construct(
        "boolean-mask",
        "a selection by a mask, of as many elements as the mask has",
        "x[x > 0]",
        "keep the size: torch.where(x > 0, x, 0); for x[mask].mean() torch.where(mask, x, 0).sum() / mask.sum(); for "
        "x[mask] = 0 x = torch.where(mask, 0, x)",
        lambda failure: _has(failure, "masked_select", "index", "index_put", "index_put_"),
    ),
    Construct(
        "unique",
        "the different values of a tensor, as many as there are",
        "torch.unique(labels)",
        "count each of a fixed set: (labels.flatten()[:, None] == torch.arange(10)).sum(0), and .clamp(max=1) for "
        "present or not",
        lambda failure: _has(failure, "_unique2", "_unique", "unique_dim", "unique_consecutive", "bincount"),
    ),
    Construct(
        "repeat",
        "repeating rows as often as a tensor says",
        "x.repeat_interleave(n, dim=0)",
        "fix the length and look each row up: ends = n.cumsum(0); "
        "row = (torch.arange(LENGTH)[:, None] >= ends).sum(1); x[row.clamp(max=len(x) - 1)]",
        lambda failure: _has(failure, "repeat_interleave"),
    ),
    Construct(
        "tolist",
        "a tensor turned into a list of Python numbers",
        "[x[i, k] for i, k in enumerate(n.tolist())]",
        "keep the tensor: x.gather(1, n[:, None]).squeeze(1)",
        lambda failure: _called(failure, ".tolist"),
    ),
    Construct(
        "value-slice",
        "a slice whose end is the value of a tensor",
        "x[..., :n]",
        "keep the size and mask the rest: torch.where(torch.arange(x.shape[-1]) < n, x, 0)",
        _is_slice,
    ),
    Construct(
        "value-size",
        "a tensor of a size that another tensor states",
        "torch.zeros(n)  or  torch.arange(n)  or  x.topk(n)",
        "fix the size and mask the rest: torch.arange(LARGEST) < n in place of torch.arange(n), x.topk(LARGEST) in "
        "place of x.topk(n)",
        lambda failure: _called(failure, *SIZED),
    ),
    Construct(
        "item",
        "the value of a tensor as a Python number",
        "x / x.max().item()  or  x[..., n] with a tensor n",
        "keep the tensor: x / x.max(); x.index_select(-1, n.reshape(1)).squeeze(-1) in place of x[..., n]",
        lambda failure: _has(failure, "item", "_local_scalar_dense"),
    ),
)
"""Constructs of operators of a program, none of an error."""
