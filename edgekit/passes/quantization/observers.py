"""Observers that a recipe names, for every backend's quantizer.

To add a method for activations: compute its range in `clipping`, choose it in `range_observer.RangeObserver`, and name
it in `specs.compression.Observer`; in `METHODS`, if `auto` shall try it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from edgekit.specs.compression import Activations, Weights

if TYPE_CHECKING:
    from collections.abc import Callable

METHODS: tuple[Literal["minmax", "percentile", "mse", "histogram"], ...] = ("minmax", "percentile", "mse", "histogram")
"""Methods that `auto` chooses from; of two that do equally well, the earlier."""


def activation_observer(activations: Activations, eps: float) -> Callable[..., Any]:
    """Constructor of an observer of one activation, for a `QuantizationSpec`. eps: the smallest scale.

    For `auto` it is a `RangeObserver` that starts as min-max; its method is set after calibration.
    """
    from torchao.quantization.pt2e import MinMaxObserver

    from edgekit.passes.quantization.range_observer import RangeObserver

    if activations.observer == "minmax":
        plain: Callable[..., Any] = MinMaxObserver.with_args(eps=eps)
        return plain
    method = "minmax" if activations.observer == "auto" else activations.observer
    ranges: Callable[..., Any] = RangeObserver.with_args(eps=eps, method=method, percentile=activations.percentile)
    return ranges


def weight_observer(weights: Weights, eps: float) -> Callable[..., Any]:
    """Constructor of a min-max observer of one weight, per-channel or per-tensor. eps: the smallest scale."""
    from torchao.quantization.pt2e import MinMaxObserver, PerChannelMinMaxObserver

    observer = PerChannelMinMaxObserver if weights.granularity == "per-channel" else MinMaxObserver
    constructor: Callable[..., Any] = observer.with_args(eps=eps)
    return constructor
