"""Charts of sections, each drawn by the module of its kind."""

from __future__ import annotations

from edgekit.report.charts import rows
from edgekit.report.charts.latency import latency
from edgekit.report.charts.matrix import matrix
from edgekit.report.charts.reliability import reliability
from edgekit.report.sections.charts import (
    BarChart,
    Chart,
    GateChart,
    IntervalChart,
    LatencyChart,
    MatrixChart,
    ReliabilityChart,
)

PATTERNS = (
    '<svg class="patterns" aria-hidden="true" width="0" height="0"><defs>'
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect class="ground" width="6" height="6"/><rect class="stripe" width="2.4" height="6"/></pattern>'
    '<pattern id="cross" width="7" height="7" patternUnits="userSpaceOnUse">'
    '<rect class="bad-ground" width="7" height="7"/><path class="bad-stripe" d="M0 0l7 7M7 0l-7 7"/></pattern>'
    "</defs></svg>\n"
)
"""Patterns that shapes of a page are filled with: series differ without their colours, too."""


def chart_svg(chart: Chart) -> str:
    """HTML and SVG of a chart."""
    match chart:
        case GateChart():
            return rows.gates(chart)
        case BarChart():
            return rows.bars(chart)
        case IntervalChart():
            return rows.intervals(chart)
        case LatencyChart():
            return latency(chart)
        case ReliabilityChart():
            return reliability(chart)
        case MatrixChart():
            return matrix(chart)
