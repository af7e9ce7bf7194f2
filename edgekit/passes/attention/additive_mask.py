"""Masks of attention as a float bias on the scores, computed once for all layers that share the mask.

Scores that are masked get so low a bias that their weight is exactly 0. torch gives a row that is masked as a whole
the weights 0, not NaN ("safe softmax"). Where a row may be so, the weights are multiplied by 1 and 0: exact too, for a
product with 1 changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, fx

from edgekit.passes.attention.infinity import constant, may_be_infinite
from edgekit.passes.attention.insertion import Insertion, value

aten = torch.ops.aten
LARGEST = 2**18
"""Elements up to which a computed constant mask is stored: 1 MiB. A larger one is computed from what is stored."""


@dataclass(frozen=True)
class AdditiveMask:
    """Bias of the scores, and the factor of the weights behind the softmax; None for either that changes nothing."""

    bias: fx.Node | None
    factor: fx.Node | None = None


def additive_mask(module: fx.GraphModule, mask: fx.Node, before: Insertion, dtype: torch.dtype) -> AdditiveMask:
    """Additive form of a mask: booleans, True where a score counts, or floats that are added to the scores.

    before: the place of the operators that compute it. Raises nothing; a mask of any other dtype is added as it is.
    """
    stored = constant(module, mask)
    if stored is not None:
        return _constant_mask(mask, stored, before, dtype)
    if value(mask).dtype is torch.bool:
        factor = before.call(aten.to.dtype, mask, dtype)
        shifted = before.call(aten.sub.Tensor, factor, before.constant(torch.ones(1, dtype=dtype)))
        return AdditiveMask(
            before.call(aten.mul.Tensor, shifted, before.constant(_number(-lowest(dtype), dtype))), factor
        )
    if not may_be_infinite(module, mask):
        return AdditiveMask(mask)
    counted = before.call(aten.ne.Scalar, mask, -torch.inf)
    factor = before.call(aten.to.dtype, counted, dtype)
    return AdditiveMask(before.call(aten.clamp.default, mask, torch.finfo(dtype).min), factor)


def causal_mask(before: Insertion, rows: int, columns: int, dtype: torch.dtype) -> AdditiveMask:
    """Additive form of a causal mask: row `i` sees columns 0 to `i`, so that no row is masked as a whole."""
    return AdditiveMask(before.constant(torch.full((rows, columns), lowest(dtype), dtype=dtype).triu(1)))


def lowest(dtype: torch.dtype) -> float:
    """Bias of a masked score: any score is lost in it, and the sum does not exceed the range of floats."""
    return torch.finfo(dtype).min / 2


def _constant_mask(mask: fx.Node, stored: Tensor, before: Insertion, dtype: torch.dtype) -> AdditiveMask:
    counted = stored if stored.dtype is torch.bool else stored != -torch.inf
    if bool(counted.all()):
        if stored.dtype is torch.bool:
            return AdditiveMask(None)
        is_computed = mask.op != "get_attr" and stored.numel() <= LARGEST
        return AdditiveMask(before.constant(stored.detach().contiguous()) if is_computed else mask)
    added = torch.zeros((), dtype=dtype) if stored.dtype is torch.bool else stored
    bias = before.constant(torch.where(counted, added, torch.tensor(lowest(dtype), dtype=dtype)).contiguous())
    whole = bool(counted.any(-1).all())
    return AdditiveMask(bias, None if whole else before.constant(counted.to(dtype).contiguous()))


def _number(number: float, dtype: torch.dtype) -> Tensor:
    return torch.full((1,), number, dtype=dtype)
