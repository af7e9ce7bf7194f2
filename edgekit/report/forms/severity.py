"""Severity of a gate in forms that machines of continuous integration read."""

from __future__ import annotations

from typing import Literal

from edgekit.parity.gates import GateResult
from edgekit.report.record import ReportRecord

Severity = Literal["error", "warning", "skipped"]


def severity(report: ReportRecord, gate: GateResult) -> Severity | None:
    """Severity of a gate's outcome; None if it passed.

    An undecided gate ends a run with 1, as a failed one does, and is an error there; a build ends with 0.
    """
    if gate.outcome == "passed":
        return None
    if gate.outcome == "not measurable":
        return "skipped"
    return "error" if gate.outcome == "failed" or report.device is not None else "warning"
