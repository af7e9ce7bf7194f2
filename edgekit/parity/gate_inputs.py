"""Inputs of the gates: the comparison, the artifact's figures, and what is known of the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from edgekit.ir.record import Record
from edgekit.parity.accelerator_readings import AcceleratorTrial
from edgekit.parity.comparison import Comparison
from edgekit.parity.endpoint_record import LatencyRecord

Device = Literal["none", "emulated", "real"]
"""Kind of the probed device: none (a build), an emulated device, or a real one, which can be timed."""


@dataclass(frozen=True)
class Baseline:
    """Instructions of an earlier run of the same target, backend and profile."""

    instructions: int | None
    reason: str | None = None
    """Reason why it has no instructions."""


class FloatRecord(Record):
    """The float file of the same backend on the same device."""

    latency: LatencyRecord = Field(alias="latency_ns")
    instructions: int | None = Field(None, ge=1)


@dataclass(frozen=True)
class GateInputs:
    """Everything that a gate can be judged by. Shares are in [0, 1]."""

    comparison: Comparison
    size_ratio: float
    integer_share: float
    integer_macs_share: float
    fallback_share: float
    device: Device
    baseline: Baseline | None = None
    """Earlier run to compare instructions with; None without one."""
    float_file: FloatRecord | None = None
    """The float file on the same device; None where it was not run there."""
    fallback_bytes_share: float | None = None
    """Share of the bytes that reference kernels move; None where bytes were not counted."""
    fragments: int | None = None
    """Delegate calls and kernels outside of them; None for a runtime without delegates."""
    weights_ratio: float | None = None
    """Bytes of the weights over those of the float file's weights; None where they are unknown."""
    float_only_macs_share: float = 0.0
    """Share of the multiply-accumulates for which the runtime has no integer kernel."""
    accelerator: AcceleratorTrial | None = None
    """Choice of the device between its CPU, GPU and NPU; None where none was made."""
    available: int | None = None
    """Samples of the evaluation set; None where it is not known."""
    group: str = ""
    """Name that the project gives to the groups of samples; empty where they have none."""
    quantized: bool = True
    """True if any number of the model has fewer bits than the float model's."""
