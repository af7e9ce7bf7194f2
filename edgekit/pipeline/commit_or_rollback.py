"""Commit or roll back what a run flashed, by the verdict on its probe."""

from __future__ import annotations

from edgekit.devices.flash import Installation, commit, rollback
from edgekit.errors import CommandFailed, DeviceBusy, EdgekitError, ProbeError
from edgekit.report.report import Report

_WHY = {"failed": "failed", "undecided": "could not be decided"}
INCIDENT_GATES, INCIDENT_FLIPS = 10, 20
"""Most gates and flipped samples that an incident in the device's history holds; the history is a small file."""


def commit_or_roll_back(installation: Installation, report: Report, may_commit: bool) -> str | None:
    """Commit the trial if the verdict is `passed`, else roll it back; leave it on trial unless `may_commit`.

    Returns a sentence on what became of it; None if it is served, as it was committed now or before.
    """
    if installation.committed:
        return None
    url = installation.transport.url
    if not may_commit:
        return f"ON TRIAL: {url} has this model beside what it serves, as --no-commit says"
    if report.verdict == "passed":
        commit(installation)
        return None
    rollback(installation, _incident(report))
    gates = ", ".join(gate.name for gate in report.gates if gate.outcome == report.verdict)
    return f"TAKEN BACK: {url} serves what it served before, as this model {_WHY[report.verdict]}: {gates or 'no gate'}"


def _incident(report: Report) -> dict[str, object]:
    """Entry of the device's history for a bundle that was rolled back: failed gates and flipped samples."""
    failed = [
        {"gate": gate.name, "value": gate.value, "min": gate.min, "max": gate.max}
        for gate in report.gates
        if gate.outcome == "failed"
    ]
    return {
        "verdict": report.verdict,
        "gates": failed[:INCIDENT_GATES],
        "flipped": list(report.flips.samples[:INCIDENT_FLIPS]),
    }


def take_back(installation: Installation, error: BaseException) -> None:
    """Roll back the trial after `error`, which is told. The slot that was served before stays served.

    Raises DeviceBusy if a measurement failed because another edgekit has flashed the device meanwhile: its flash
    removes what is left of probes.
    """
    if installation.committed:
        return
    try:
        rollback(installation)
    except DeviceBusy:
        if isinstance(error, ProbeError | CommandFailed):
            raise
    except EdgekitError:
        pass  # what went wrong before is what must be told
