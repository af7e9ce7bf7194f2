"""A report as workflow commands of GitHub Actions, which it shows as annotations of the commit and of its files."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.report.forms.locate import Locate, in_project_file
from edgekit.report.forms.severity import severity
from edgekit.report.record import ReportRecord
from edgekit.report.sections.outline import outline
from edgekit.untrusted.sanitize import MAX_WORDS
from edgekit.untrusted.workflow_commands import workflow_command

MOST = 10
"""Annotations of one level that GitHub shows of a step; it leaves out the others without a word."""


def render(reports: Sequence[ReportRecord], locate: Locate = in_project_file) -> str:
    """Render a command a line: every gate that does not hold, then the verdict of each report.

    locate: where each gate is stated.
    """
    commands: dict[str, list[str]] = {"error": [], "warning": [], "notice": []}
    for report in reports:
        view = outline(report)
        for gate in report.gates:
            level = severity(report, gate)
            if level in ("error", "warning"):
                title, at = f"{report.target}: {gate.name} {gate.outcome}", locate(report, gate.name)
                commands[level].append(
                    workflow_command(level, gate.meaning, MAX_WORDS, file=at.file, line=str(at.line), title=title)
                )
        verdict = workflow_command("notice", view.sentence, MAX_WORDS, title=f"{report.verdict}: {view.subject}")
        commands["notice"].append(verdict)
    return "".join(f"{command}\n" for level, lines in commands.items() for command in _shortened(level, lines))


def _shortened(level: str, commands: list[str]) -> list[str]:
    if len(commands) <= MOST:
        return commands
    more = f"{len(commands) - MOST + 1} more are in the step's summary and in the reports"
    return [*commands[: MOST - 1], workflow_command(level, more, title="edgekit")]
