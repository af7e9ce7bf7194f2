"""A gate in words for tables: value, interval and limit, each with its unit."""

from __future__ import annotations

from edgekit.parity.gate_texts import quantity_of
from edgekit.parity.gates import GateResult


def value_words(gate: GateResult, unit: str) -> str:
    """Value with its unit. unit: of the metric."""
    return "unknown" if gate.value is None else quantity_of(gate.name, unit).show(gate.value)


def interval_words(gate: GateResult, unit: str) -> str:
    """Interval with its confidence; `-` for what is no sample of anything, or of which a report has none."""
    if gate.low is None or gate.high is None or gate.confidence is None:
        return "-"
    show = quantity_of(gate.name, unit).show
    return f"{show(gate.low)} and {show(gate.high)}, {100 * gate.confidence:g} % each"


def limit_words(gate: GateResult, unit: str) -> str:
    """Limit, such as `at most 1 point`; `none` for a gate without one."""
    return quantity_of(gate.name, unit).limit(gate.min, gate.max) or "none"
