"""Global average pooling in the form that XNNPACK delegates: a mean over height and width that keeps both axes."""

from __future__ import annotations

import math
from typing import Any

from executorch.exir.dialects._ops import ops
from executorch.exir.pass_base import ExportPass, NodeMetadata, ProxyValue

MEAN = ops.edge.aten.mean.dim
AS_STRIDED = ops.edge.aten.as_strided_copy.default
VIEW = ops.edge.aten.view_copy.default


class KeepAveragedAxes(ExportPass):  # type: ignore[misc]  # executorch has no types
    """Pass that drops the axes after the mean, not in it, and removes the `as_strided` of a pooling to 1x1.

    Otherwise both run on portable kernels, and each splits the partition of the delegate.
    """

    def call_operator(self, op: Any, args: tuple[Any, ...], kwargs: dict[str, Any], meta: NodeMetadata) -> ProxyValue:
        if op == AS_STRIDED and _is_identity(*args):
            return args[0]
        if op != MEAN or not _drops_height_and_width(args, kwargs):
            return super().call_operator(op, args, kwargs, meta)
        mean = super().call_operator(MEAN, (args[0], [2, 3], True), {}, meta)
        return super().call_operator(VIEW, (mean, list(args[0].to_tensor().shape[:2])), {}, meta)


def _is_identity(source: ProxyValue, size: list[int], stride: list[int], offset: int = 0) -> bool:
    tensor = source.to_tensor()
    axes = zip(tensor.shape, tensor.stride(), stride, strict=False)
    return (
        list(tensor.shape) == list(size)
        and offset == 0
        and all(length == 1 or old == new for length, old, new in axes)
        and math.prod(size) > 0
    )


def _drops_height_and_width(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    rank = args[0].to_tensor().dim()
    keeps = len(args) > 2 and args[2]
    return rank == 4 and not keeps and not kwargs.get("dtype") and sorted(axis % 4 for axis in args[1] or ()) == [2, 3]
