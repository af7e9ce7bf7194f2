"""Section on the gates: outcome first, then what was measured against its limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from edgekit.parity.gate_texts import Quantity, percent, quantity_of
from edgekit.parity.gates import GateResult, Outcome
from edgekit.report.record import Bounds, ReportRecord
from edgekit.report.sections.charts import GateBar, GateChart
from edgekit.report.sections.invalid import TIME_GATES
from edgekit.report.sections.section import Row, Section, section

ORDER: tuple[Outcome, ...] = ("failed", "undecided", "passed", "not measurable")
"""Outcomes in the order in which they matter."""
REMEDY = " Next: "
"""Words before the remedy in a gate's meaning."""
_ROOM = 1.25
"""Length of an axis beyond the limit, over the limit."""
_ZOOM = 0.9
"""Least limit of a share from which the axis begins near it: 98 and 99 % differ on no axis from 0."""


def gates(report: ReportRecord, unit: str) -> Section:
    """Section on all gates. unit: that of the metric."""
    ordered = sorted(report.gates, key=lambda gate: ORDER.index(gate.outcome))
    rows = [_row(gate, unit) for gate in ordered]
    notes = _notes([gate for gate in ordered if gate.outcome != "passed"])
    return section("Gates", ("outcome", "gate", "measured", "limit"), rows, notes, picture=_picture(report, unit))


def _notes(gates: Sequence[GateResult]) -> Iterator[str]:
    """Say what each gate means; a remedy that several have is told with the first."""
    told: set[str] = set()
    for gate in gates:
        words, _, remedy = gate.meaning.rpartition(REMEDY)
        meaning = words if words and remedy in told else gate.meaning
        told.add(remedy)
        yield f"{gate.name} {gate.outcome}. {meaning}"


def _row(gate: GateResult, unit: str) -> Row:
    quantity = quantity_of(gate.name, unit)
    return (gate.outcome, gate.name, _value(gate, quantity), quantity.limit(gate.min, gate.max))


def _value(gate: GateResult, quantity: Quantity) -> str:
    """Value of a gate; of an open one also the interval that leaves it open, or that the figure may not be quoted."""
    if gate.value is None:
        return "-"
    value = quantity.show(gate.value)
    if gate.outcome != "undecided":
        return value
    if gate.low is not None and gate.high is not None:
        return f"{value}, between {quantity.show(gate.low)} and {quantity.show(gate.high)}"
    return f"{value}, INVALID" if gate.name in TIME_GATES else value


def _picture(report: ReportRecord, unit: str) -> GateChart | None:
    if not report.gates:
        return None
    ordered = sorted(report.gates, key=lambda gate: ORDER.index(gate.outcome))
    counts = [(outcome, sum(gate.outcome == outcome for gate in ordered)) for outcome in ORDER]
    words = ", ".join(f"{count} {outcome}" for outcome, count in counts if count)
    bars = tuple(gate_bar(gate, unit, _interval(gate, report.accuracy_drop_bounds)) for gate in ordered)
    told = "the upright line is the limit, the ring what was measured, a thin line its interval"
    return GateChart(f"Gates: {words}; {told}.", bars)


def _interval(gate: GateResult, bounds: Bounds | None) -> tuple[float, float] | None:
    if gate.value is not None and gate.low is not None and gate.high is not None:
        return gate.low, gate.high
    return (bounds.low, bounds.high) if gate.name == "accuracy_drop" and bounds and gate.value is not None else None


def gate_bar(gate: GateResult, unit: str, interval: tuple[float, float] | None = None) -> GateBar:
    """Bar of a gate, on an axis that shows the value, its interval and the limits. unit: that of the metric."""
    quantity = quantity_of(gate.name, unit)
    words = (gate.name, quantity.title, gate.outcome, _value(gate, quantity), quantity.limit(gate.min, gate.max))
    if gate.value is None:
        return GateBar(*words, place=None, allowed=None, ends=("", ""))
    low, high = _axis([gate.value, *(interval or ())], gate.min, gate.max, share=quantity.show is percent)

    def place(value: float) -> float:
        return min(max((value - low) / ((high - low) or 1.0), 0.0), 1.0)

    return GateBar(
        *words,
        place=place(gate.value),
        allowed=(place(low if gate.min is None else gate.min), place(high if gate.max is None else gate.max)),
        ends=(quantity.show(low), quantity.show(high)),
        start=place(0.0),
        whisker=(place(interval[0]), place(interval[1])) if interval else None,
    )


def _axis(values: Iterable[float], least: float | None, most: float | None, *, share: bool) -> tuple[float, float]:
    """Ends of the axis. share: the values are shares, which end at 1."""
    limits = [limit for limit in (least, most) if limit is not None]
    known = [*values, *limits]
    if share and most is None and least is not None and min(known) >= _ZOOM:
        return _round_down(1.0 - 2.0 * (1.0 - min(known))), 1.0
    low = min(0.0, *known)
    if share and most is None:
        return low, 1.0
    high = max(max(known), _ROOM * max(limits, default=0.0))
    return low, high if high > low else low + 1.0


def _round_down(share: float) -> float:
    """Whole per cent below a share, so that the end of an axis reads well; below 1 in any case."""
    return min(int(100 * share) / 100, 0.99)
