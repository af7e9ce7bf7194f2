"""Records of sensitivity analysis and pruning, layer by layer: numbers, without judgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import RootModel


@dataclass(frozen=True)
class Layer:
    """One layer: an operator with those fused into its kernel, such as a convolution and the ReLU after it.

    Signal to quantization noise is in dB: infinite if nothing is lost, None if nothing is rounded or measured.
    Ranges are in the units of the float network.
    """

    name: str
    """User's name of its module, such as `layer1.0.conv1`, or of the input; empty for the network itself."""
    node: str
    """Name of its first node in the graph, which no other layer has."""
    kind: str
    """Kind: conv, depthwise conv, linear, add, hardswish …; `input` for an input of the program."""
    inputs: tuple[str, ...]
    """Nodes of the layers whose outputs it reads."""
    quantized: bool
    reason: str = ""
    """Reason why it is not quantized; empty if it is."""
    macs: int = 0
    """Multiply-accumulates of one inference."""
    weights: int = 0
    """Elements of its weights: constants with more than one axis longer than 1."""
    weight_sqnr_db: float | None = None
    """SQNR of the weights as they are stored."""
    weight_range_ratio: float | None = None
    """Largest over median of the output channels' largest weights: the cost of one scale for all of them."""
    activation_sqnr_db: float | None = None
    """SQNR of the exact output after it is rounded to its own scale."""
    activation_low: float | None = None
    activation_high: float | None = None
    """Ends of the calibrated range; of the values themselves if the output is not rounded."""
    shared_scale: bool = False
    """True if its kernel demands the input's scale for the output: the range is then that of both."""
    activation_p999: float | None = None
    """Magnitude that 99.9 % of the values do not exceed."""
    activation_range_ratio: float | None = None
    """Largest over median of the channels' largest magnitudes."""
    constant_share: float | None = None
    """Share of the output channels that hardly vary over the samples, in [0, 1]."""
    output_sqnr_db: float | None = None
    """SQNR of the output if only this layer is quantized: inputs, weights and output."""
    by_weights_db: float | None = None
    """SQNR of the output if only its weights are rounded."""
    by_inputs_db: float | None = None
    """SQNR of the output if only its inputs are rounded."""
    cumulative_sqnr_db: float | None = None
    """SQNR of the output if the whole network is quantized, on held-out samples."""
    clipped: float | None = None
    """Share of the values of the calibration samples outside the range, in [0, 1]."""
    saturated: float | None = None
    """Share of the values of held-out samples outside the range, in [0, 1]."""

    @property
    def outlier_ratio(self) -> float | None:
        """Largest magnitude over `activation_p999`; None if that is zero or unknown."""
        if not self.activation_p999 or self.activation_low is None or self.activation_high is None:
            return None
        return max(-self.activation_low, self.activation_high) / self.activation_p999


@dataclass(frozen=True)
class Change:
    """Change of one module by pruning and recovery, against the trained network."""

    name: str
    channels: int
    """Channels of its output, in the original."""
    kept: int
    """Channels of its output, after pruning."""
    sqnr_db: float | None
    """SQNR of its output against the original's; None if the shapes differ."""


class _Layers(RootModel[tuple[Layer, ...]], ser_json_inf_nan="strings"):
    """Layers as JSON; infinities are written as strings."""


def to_json(layers: Sequence[Layer]) -> str:
    """JSON document of the layers; infinities are strings."""
    return _Layers(tuple(layers)).model_dump_json(indent=2) + "\n"


def from_json(text: str) -> tuple[Layer, ...]:
    """Parse the document that `to_json` wrote. Raises pydantic's ValidationError for anything else."""
    return _Layers.model_validate_json(text).root
