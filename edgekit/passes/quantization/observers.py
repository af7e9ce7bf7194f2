"""How ranges are found: a recipe's observers, the same for every backend's quantizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from edgekit.specs.compression import Activations, Weights

if TYPE_CHECKING:
    from collections.abc import Callable

METHODS: tuple[Literal["minmax", "percentile", "mse", "histogram"], ...] = ("minmax", "percentile", "mse", "histogram")
"""What `auto` chooses from; the earlier one where two do equally well."""


def activation_observer(activations: Activations, eps: float) -> Callable[..., Any]:
    """What makes an observer of one activation, as a `QuantizationSpec` takes it. `eps` is the smallest scale.

    For `auto` it is one that starts as min-max and is told its method after calibration (`ranges.RangeObserver`).
    """
    from torchao.quantization.pt2e import MinMaxObserver

    from edgekit.passes.quantization.range_observer import RangeObserver

    if activations.observer == "minmax":
        plain: Callable[..., Any] = MinMaxObserver.with_args(eps=eps)
        return plain
    method = "minmax" if activations.observer == "auto" else activations.observer
    made: Callable[..., Any] = RangeObserver.with_args(eps=eps, method=method, percentile=activations.percentile)
    return made


def weight_observer(weights: Weights, eps: float) -> Callable[..., Any]:
    """What makes an observer of one weight. `eps` is the smallest scale."""
    from torchao.quantization.pt2e import MinMaxObserver, PerChannelMinMaxObserver

    observer = PerChannelMinMaxObserver if weights.granularity == "per-channel" else MinMaxObserver
    made: Callable[..., Any] = observer.with_args(eps=eps)
    return made
