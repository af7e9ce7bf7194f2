"""How ranges are found: a recipe's observers, the same for every backend's quantizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekit.specs.compression import Activations, Weights

if TYPE_CHECKING:
    from collections.abc import Callable


def activation_observer(activations: Activations, eps: float) -> Callable[..., Any]:
    """What makes an observer of one activation, as a `QuantizationSpec` takes it. `eps` is the smallest scale."""
    from torchao.quantization.pt2e import HistogramObserver, MinMaxObserver

    observer = HistogramObserver if activations.observer == "histogram" else MinMaxObserver
    made: Callable[..., Any] = observer.with_args(eps=eps)
    return made


def weight_observer(weights: Weights, eps: float) -> Callable[..., Any]:
    """What makes an observer of one weight. `eps` is the smallest scale."""
    from torchao.quantization.pt2e import MinMaxObserver, PerChannelMinMaxObserver

    observer = PerChannelMinMaxObserver if weights.granularity == "per-channel" else MinMaxObserver
    made: Callable[..., Any] = observer.with_args(eps=eps)
    return made
