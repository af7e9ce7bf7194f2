"""What quantization does to a network, layer by layer: numbers only, for whoever judges them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import RootModel


@dataclass(frozen=True)
class Layer:
    """One layer: an operator with what its kernel absorbs, such as a convolution and the ReLU after it.

    Signal to quantization noise is in dB; infinite where nothing is lost, None where nothing is rounded or measured.
    Ranges are in the units of the float network.
    """

    name: str
    """The user's name of its module, such as `layer1.0.conv1`; of an input, the project's; empty for the network."""
    node: str
    """Its name in the graph, which no other layer has."""
    kind: str
    """conv, depthwise conv, linear, add, hardswish …; `input` for what a program is given."""
    inputs: tuple[str, ...]
    """Nodes of the layers whose outputs it takes."""
    quantized: bool
    reason: str = ""
    """Why it is not quantized."""
    macs: int = 0
    """Multiply-accumulates of one inference."""
    weight_sqnr_db: float | None = None
    """Of the weights as they are stored."""
    weight_range_ratio: float | None = None
    """Largest over median of the output channels' largest weights: what one scale for all of them costs."""
    activation_sqnr_db: float | None = None
    """Of the exact output once it is rounded to its own scale."""
    activation_low: float | None = None
    activation_high: float | None = None
    """Ends of the calibrated range; of the values themselves where the output is not rounded."""
    shared_scale: bool = False
    """Whether its kernel demands that the output has the input's scale: the range is then that of both."""
    activation_p999: float | None = None
    """What 99.9 % of the magnitudes do not pass."""
    activation_range_ratio: float | None = None
    """Largest over median of the channels' largest magnitudes."""
    constant_share: float | None = None
    """Share of the output channels that hardly vary over the samples, in [0, 1]."""
    output_sqnr_db: float | None = None
    """Of the output when this layer alone is quantized: inputs, weights and output."""
    by_weights_db: float | None = None
    """The same with the weights alone rounded."""
    by_inputs_db: float | None = None
    """The same with the inputs alone rounded."""
    cumulative_sqnr_db: float | None = None
    """Of the output when the whole network is quantized, on samples that were not calibrated with."""
    clipped: float | None = None
    """Share of the values of the calibration samples that lie outside the range, in [0, 1]."""
    saturated: float | None = None
    """The same on samples that were not calibrated with."""

    @property
    def outlier_ratio(self) -> float | None:
        """The largest magnitude over what 99.9 % do not pass; None where that is zero or unknown."""
        if not self.activation_p999 or self.activation_low is None or self.activation_high is None:
            return None
        return max(-self.activation_low, self.activation_high) / self.activation_p999


@dataclass(frozen=True)
class Change:
    """What pruning and recovery made of one module, against the network that was trained."""

    name: str
    channels: int
    """Of its output, in the original."""
    kept: int
    """Of its output, now."""
    sqnr_db: float | None
    """Of its output against the original's; None where the shapes no longer allow to say."""


class _Layers(RootModel[tuple[Layer, ...]], ser_json_inf_nan="strings"):
    """JSON has no infinity: it is written as a string."""


def to_json(layers: Sequence[Layer]) -> str:
    """The layers as a JSON document; infinities are strings."""
    return _Layers(tuple(layers)).model_dump_json(indent=2) + "\n"


def from_json(text: str) -> tuple[Layer, ...]:
    """What `to_json` wrote. Raises pydantic's ValidationError for anything else."""
    return _Layers.model_validate_json(text).root
