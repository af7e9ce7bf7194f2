"""Location of gates, as forms for services ask for it: they read no file themselves."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.report.record import ReportRecord
from edgekit.specs.source_location import SourceLocation

Locate = Callable[[ReportRecord, str], SourceLocation]
"""Location of the gate of that name in the report, from the root of the repository."""


def in_project_file(report: ReportRecord, gate: str) -> SourceLocation:
    """Locate every gate at the beginning of `edgekit.toml`: where no project is at hand."""
    return SourceLocation()
