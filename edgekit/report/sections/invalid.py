"""Sentences on latencies that may not be quoted, and where they belong: above all, or beside the times."""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.report.record import ReportRecord

TIME_GATES = frozenset({"latency_p50_ms", "latency_p90_ms", "not_slower", "accelerator_not_slower"})
"""Gates that are not decided by a latency that may not be quoted."""


def hangs_on_time(report: ReportRecord) -> bool:
    """True if the verdict is open for want of a valid latency, or a cost is reckoned by one.

    Where another gate failed, a valid latency would change nothing.
    """
    open_gates = any(gate.name in TIME_GATES and gate.outcome == "undecided" for gate in report.gates)
    return (open_gates and report.verdict != "failed") or report.cost is not None


def invalid(report: ReportRecord) -> Iterable[str]:
    """Yield a sentence for every latency that was measured and may not be quoted."""
    for name, side in (("reference", report.reference), ("candidate", report.candidate)):
        if side.latency.count and not side.latency.valid:
            yield f"INVALID: the {name}'s latency may not be quoted. {_reason(side.latency.reason)}"


def _reason(reason: str | None) -> str:
    return f"Why: {reason}. Mend that, and run again." if reason else "No reason was given."
