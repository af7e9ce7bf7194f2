"""Digests of the data sets that a verdict is made of."""

from __future__ import annotations

from edgekit.report.record import ReportRecord

OUTSIDE = "outside"


def data_digests(report: ReportRecord) -> tuple[tuple[str, str], ...]:
    """Role and SHA-256 of each data set that was read, over the samples as they were; samples from outside, too."""
    sets = report.governance.sets if report.governance else ()
    digests = [(each.role, each.sha256) for each in sets if each.sha256]
    if report.outside and report.outside.sha256:
        digests.append((OUTSIDE, report.outside.sha256))
    return tuple(digests)
