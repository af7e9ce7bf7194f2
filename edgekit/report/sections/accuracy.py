"""Chart of the metric of both endpoints with their intervals."""

from __future__ import annotations

from edgekit.parity.endpoint_record import MetricRecord
from edgekit.parity.gate_texts import metric_value
from edgekit.report.record import ReportRecord
from edgekit.report.sections.charts import Interval, IntervalChart
from edgekit.tasks.metric import SHARE

_ROOM = 0.25
"""Room on either side of the intervals, over their width together."""


def accuracy_chart(report: ReportRecord) -> IntervalChart | None:
    """Chart of the metric; None without labels."""
    sides = [(name, side.score) for name, side in (("reference", report.reference), ("candidate", report.candidate))]
    known = [(name, score) for name, score in sides if score is not None]
    if len(known) < 2:
        return None
    unit = known[0][1].unit
    low, high = _axis([score for _, score in known])

    def place(value: float) -> float:
        return min(max((value - low) / (high - low), 0.0), 1.0)

    intervals = tuple(
        Interval(name, metric_value(score.value, unit), place(score.value), place(score.low), place(score.high))
        for name, score in known
    )
    told = "; ".join(
        f"{name} {metric_value(score.value, unit)}, {metric_value(score.low, unit)} to {metric_value(score.high, unit)}"
        for name, score in known
    )
    ends = (metric_value(low, unit), metric_value(high, unit))
    title = f"{known[0][1].name}, with 95 % intervals"
    return IntervalChart(title, f"{title}: {told}.", ends, intervals)


def _axis(scores: list[MetricRecord]) -> tuple[float, float]:
    """Ends of the axis around all intervals; those of a share stay in [0, 1], at whole per cent."""
    low, high = min(score.low for score in scores), max(score.high for score in scores)
    room = _ROOM * ((high - low) or abs(high) or 1.0)
    low, high = low - room, high + room
    if scores[0].unit == SHARE:
        # What a file says may be no share at all.
        low, high = (min(max(end, 0.0), 1.0) for end in (low, high))
        low, high = int(100 * low) / 100, min(1.0, (int(100 * high) + 1) / 100)
    return (low, high) if high > low else (low - 1.0, low + 1.0)
