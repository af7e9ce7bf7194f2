"""Reports in short, as Markdown for a pull request or the summary of a step: at most 30 lines, however many reports.

The verdict is in the first line. Beside an earlier set of reports, figures and outcomes that changed show both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgekit.parity.gate_texts import metric_value, milliseconds, quantity_of
from edgekit.parity.gates import GateResult
from edgekit.report.record import ReportRecord
from edgekit.report.sections.section import Row
from edgekit.untrusted.markdown import cell

MOST_LINES = 30
REPORTS, GATES = 7, 9
"""Rows of the two tables; a row below them says how many more there are."""


@dataclass(frozen=True)
class Pair:
    """A report, and the earlier one of the same target, profile and backend, if there is one."""

    now: ReportRecord
    before: ReportRecord | None

    def cell(self, show: Callable[[ReportRecord], str]) -> str:
        """A figure of the report, after the earlier one if that differs."""
        now, before = show(self.now), show(self.before) if self.before else None
        return now if before in (None, now) else f"{before} → {now}"


def render(reports: Sequence[ReportRecord], earlier: Sequence[ReportRecord] = ()) -> str:
    """Render the reports; each beside the first of `earlier` with the same target, profile and backend."""
    pairs = [Pair(report, _match(report, earlier)) for report in reports]
    gates = [row for pair in pairs for row in _gate_rows(pair)]
    lines = [
        f"## {_title(reports)}",
        "",
        *_sentence(reports),
        *_table(_HEADER, [_row(pair) for pair in pairs], REPORTS),
    ]
    if gates:
        header = ("target", "gate", "before", "now", "limit") if earlier else ("target", "gate", "now", "limit")
        rows = gates if earlier else [(target, gate, now, limit) for target, gate, _, now, limit in gates]
        lines += ["", *_table(header, rows, GATES)]
    return "\n".join([*lines, "", *_footer(pairs, earlier)]) + "\n"


_HEADER = ("target", "verdict", "metric", "size", "p50")


def _title(reports: Sequence[ReportRecord]) -> str:
    verdicts = [report.verdict for report in reports]
    worst = next((name for name in ("failed", "undecided") if name in verdicts), "passed")
    if len(reports) == 1:
        return f"edgekit: {worst.upper()}"
    return f"edgekit: {worst.upper()} ({verdicts.count('passed')} of {len(reports)} passed)"


def _sentence(reports: Sequence[ReportRecord]) -> list[str]:
    """The verdict in words; of several reports, the first that did not pass."""
    told = next((report for report in reports if report.verdict != "passed"), reports[0] if len(reports) == 1 else None)
    return [_text(told.sentence), ""] if told else []


def _row(pair: Pair) -> Row:
    now = pair.now
    name = f"{now.target}, {now.profile}, {now.backend}"
    verdict = pair.cell(lambda report: report.verdict)
    return (name, verdict, pair.cell(_metric), pair.cell(_size), pair.cell(_time))


def _metric(report: ReportRecord) -> str:
    score = report.candidate.score
    if score is None:
        return f"agreement {quantity_of('agreement', report.reference.metric_unit).show(report.agreement)}"
    return f"{score.name} {metric_value(score.value, score.unit)}"


def _size(report: ReportRecord) -> str:
    return f"{report.artifact.size_bytes:,} bytes"


def _time(report: ReportRecord) -> str:
    """Median of one answer, if it was taken on the target and may be quoted."""
    latency = report.candidate.latency
    if report.candidate.instructions:
        return f"{report.candidate.instructions:,} instructions"
    if report.device is None or report.host_stand_in or latency.p50_ns is None:
        return "not timed"
    return milliseconds(latency.p50_ns / 1e6) if latency.valid else "INVALID"


def _gate_rows(pair: Pair) -> list[Row]:
    """Rows of the gates that do not hold, or did not before."""
    before = {gate.name: gate for gate in pair.before.gates} if pair.before else {}
    unit, target = pair.now.reference.metric_unit, pair.now.target
    rows: list[Row] = []
    for gate in pair.now.gates:
        was = before.get(gate.name)
        if gate.outcome in ("failed", "undecided") or (was and _holds(was) != _holds(gate)):
            limit = quantity_of(gate.name, unit).limit(gate.min, gate.max)
            rows.append((target, gate.name, _outcome(was, unit) if was else "-", _outcome(gate, unit), limit))
    return rows


def _holds(gate: GateResult) -> bool:
    return gate.outcome not in ("failed", "undecided")


def _outcome(gate: GateResult, unit: str) -> str:
    value = "" if gate.value is None else f": {quantity_of(gate.name, unit).show(gate.value)}"
    return f"{gate.outcome}{value}"


def _footer(pairs: Sequence[Pair], earlier: Sequence[ReportRecord]) -> list[str]:
    """A line on what the reports were compared with, and one on their bundles."""
    parts = []
    if earlier:
        new = sum(pair.before is None for pair in pairs)
        gone = len(earlier) - sum(any(pair.before is report for pair in pairs) for report in earlier)
        other = any(pair.before and pair.before.candidate.samples != pair.now.candidate.samples for pair in pairs)
        parts = ["Compared with an earlier report, target by target"]
        parts += [f"{new} are new"] * bool(new) + [f"{gone} of before are not there"] * bool(gone)
        parts += ["the number of samples changed"] * other
    bundles = [pair.now.bundle.digest[:12] for pair in pairs if pair.now.bundle]
    versions = sorted({pair.now.versions["edgekit"] for pair in pairs if "edgekit" in pair.now.versions})
    made = f"edgekit {', '.join(versions)}" if versions else "edgekit"
    digests = f", bundle {bundles[0]}" if len(bundles) == 1 else ""
    return [f"{_text('; '.join(parts))}.<br>" if parts else "", f"<sub>{_text(f'{made}{digests}')}</sub>"][not parts :]


def _match(report: ReportRecord, earlier: Sequence[ReportRecord]) -> ReportRecord | None:
    return next((other for other in earlier if _names(other) == _names(report)), None)


def _names(report: ReportRecord) -> Row:
    return report.target, report.profile, report.backend


def _table(header: Row, rows: Sequence[Row], most: int) -> list[str]:
    more = [_cells((f"and {len(rows) - most} more", *("",) * (len(header) - 1)))] if len(rows) > most else []
    return [_cells(header), _cells(("---",) * len(header)), *map(_cells, rows[:most]), *more]


def _cells(row: Row) -> str:
    return f"| {' | '.join(map(_text, row))} |"


def _text(text: str) -> str:
    """One line of Markdown that shows `text`. An `@name` calls nobody: device names are no members."""
    return re.sub(r"@(?=\w)", "@<!-- -->", cell(text))
