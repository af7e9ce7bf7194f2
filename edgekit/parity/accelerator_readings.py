"""Readings of the gates on the accelerator that a device chose for a model."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.parity.missing_value import MissingValue
from edgekit.parity.statistics.estimate import Estimate, exact

CPU = "cpu"
GATES = ("accelerated_share", "accelerator_not_slower", "accelerator_agreement")


@dataclass(frozen=True)
class AcceleratorTrial:
    """Result of a device's choice between its CPU, GPU and NPU. Unknown values are None."""

    kind: str
    """Kind of the accelerator that was chosen, or `cpu`."""
    why: str
    """Reason of the choice, a clause."""
    share: float | None = None
    """Share of the model's operators that it runs itself, in [0, 1]."""
    time_ratio: float | None = None
    """Median time of an answer over that of the CPU of the same device."""
    software: bool = False
    """True if a program of the CPU stands in for the accelerator: its time says nothing."""
    agreement: float | None = None
    """Share of samples on which it and the CPU answer the same, in [0, 1]."""

    @property
    def accelerated(self) -> bool:
        return self.kind != CPU


def accelerator_reading(name: str, trial: AcceleratorTrial | None, emulated: bool) -> Estimate | MissingValue:
    """Value of a gate of `GATES`, or the reason why there is none."""
    if trial is None:
        return MissingValue(
            "no accelerator was tried: the target states none for this backend, or no device was probed"
        )
    if not trial.accelerated:
        return MissingValue(f"it runs on the CPU: {trial.why}")
    if name == "accelerated_share":
        return _known(trial.share, f"{trial.kind} does not say which operators it runs")
    if name == "accelerator_agreement":
        return _known(trial.agreement, "the CPU's answers to these samples are not known")
    if trial.software or emulated:
        return MissingValue("no GPU or NPU of the device ran it, but a program that stands in, whose time says nothing")
    return _known(trial.time_ratio, "one of the two was not timed")


def _known(value: float | None, reason: str) -> Estimate | MissingValue:
    return MissingValue(reason) if value is None else exact(value)
