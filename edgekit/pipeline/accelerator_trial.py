"""Accelerator of a trial: what the device chose, as gates and people see it, and when the choice is taken back."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.devices.accelerator_choice import keep_cpu
from edgekit.devices.flash import Installation
from edgekit.devices.protocol import AcceleratorChosen
from edgekit.errors import (
    AcceleratorCrashed,
    AcceleratorHung,
    AcceleratorMemory,
    AcceleratorMissing,
    AcceleratorNotFinite,
    OperatorsRefused,
)
from edgekit.parity.accelerator_readings import CPU, AcceleratorTrial
from edgekit.report.report import Report

FAILURES = (
    AcceleratorCrashed,
    AcceleratorHung,
    AcceleratorMemory,
    AcceleratorMissing,
    AcceleratorNotFinite,
    OperatorsRefused,
)
"""Errors of an accelerator that leave the CPU of the same device as it was."""


def accelerator_trial(chosen: AcceleratorChosen | None, agreement: float | None) -> AcceleratorTrial | None:
    """Choice as the gates read it. agreement: share of the samples that the CPU answers the same, if it is known."""
    if chosen is None:
        return None
    figures, cpu = chosen.figures(chosen.kind), chosen.figures(CPU)
    if chosen.kind == CPU or figures is None:
        return AcceleratorTrial(chosen.kind, chosen.why)
    ratio = figures.p50_ns / cpu.p50_ns if cpu and cpu.p50_ns and figures.p50_ns else None
    return AcceleratorTrial(chosen.kind, chosen.why, figures.share, ratio, figures.software, agreement)


def accelerator_remark(chosen: AcceleratorChosen | None) -> str | None:
    """Sentence on what the model runs on, why, and what it draws; None where there was nothing to choose from."""
    if chosen is None:
        return None
    energy = f"; {chosen.energy_words}" if chosen.energy_words else ""
    return f"it runs on {'the CPU' if chosen.kind == CPU else chosen.kind}: {chosen.why}{energy}"


def report_of_choice(
    judged: Callable[[AcceleratorChosen | None], Report], chosen: AcceleratorChosen | None, installation: Installation
) -> Report:
    """Report on what the device chose, by `judged`.

    Where the device chose an accelerator by itself, and it fails or the verdict on it is not `passed`, the device keeps
    its CPU, with the reason in its history, and the report is on that. Raises what `judged` does.
    """
    if chosen is None or chosen.told or chosen.kind == CPU:
        return judged(chosen)
    try:
        report = judged(chosen)
    except FAILURES as error:
        return judged(keep_cpu(installation, f"on {chosen.kind}: {error}"))
    if report.verdict == "passed":
        return report
    missed = [gate.name for gate in report.gates if gate.outcome in ("failed", "undecided")]
    return judged(keep_cpu(installation, f"on {chosen.kind} the verdict is {report.verdict}: {', '.join(missed)}"))
