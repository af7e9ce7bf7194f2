"""`--ci`: annotations and a summary for the service that runs a command on every change."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from edgekit.atomic import stored, write
from edgekit.cli.output import note, print_commands
from edgekit.errors import EdgekitError, Interrupted, StorageError
from edgekit.report.forms import github_annotations, pull_request, sarif
from edgekit.report.forms.locate import Locate
from edgekit.report.report import Report
from edgekit.specs.source_location import SourceLocation, error_location, gate_location
from edgekit.untrusted.sanitize import MAX_WORDS
from edgekit.untrusted.workflow_commands import workflow_command

Ci = Annotated[
    Literal["github"] | None,
    typer.Option("--ci", help="Annotations on stderr and the step's summary, for GitHub Actions: docs/ci.md."),
]
SUMMARY = "GITHUB_STEP_SUMMARY"
"""Variable that names the file which GitHub shows as the summary of a step; what is appended to it is added."""


def announce(
    ci: str | None, reports: Sequence[Report], project: Path | None = None, earlier: Sequence[Report] = ()
) -> None:
    """Tell the service of the reports, if `ci` names one; results on stdout stay as they are. Raises StorageError."""
    if ci is None:
        return
    print_commands(github_annotations.render(reports, locate_in(project)))
    path = os.environ.get(SUMMARY)
    if not path:
        note(f"{SUMMARY} is not set, so no summary is written: this is no step of GitHub Actions")
        return
    with stored(Path(path)), Path(path).open("a", encoding="utf-8") as file:
        file.write(pull_request.render(reports, earlier))


def announce_error(error: EdgekitError, ci: str | None, report: Path | None, project: Path | None) -> None:
    """Tell a service of an error that ended a command: an annotation, and the SARIF log that `--report` names.

    An earlier log would else be taken for this one. One that cannot be written is no second error.
    """
    at = fault_location(error, project)
    if ci == "github":
        hint = f". Hint: {error.hint}" if error.hint else ""
        place = {"file": at.file, "line": str(at.line)} if at else {}
        print_commands(workflow_command("error", f"{error}{hint}", MAX_WORDS, **place, title=f"edgekit {error.code}"))
    if report and report.suffix == ".sarif" and report.parent.is_dir() and not isinstance(error, Interrupted):
        with contextlib.suppress(StorageError):
            write(report, sarif.render_error(error, at or _from_here(project or Path(), SourceLocation())).encode())


def locate_in(project: Path | None) -> Locate:
    """Locate gates in the files of a project, the one in this folder if none is named, from where the command runs."""
    folder = project or Path()
    return lambda report, gate: _from_here(folder, gate_location(folder, report.profile, gate))


def fault_location(error: EdgekitError, project: Path | None) -> SourceLocation | None:
    """Locate the fault in a project's files that an error tells of, from where the command runs; None for no line."""
    folder = project or Path()
    at = error_location(str(error), folder)
    return _from_here(folder, at) if at else None


def _from_here(folder: Path, at: SourceLocation) -> SourceLocation:
    """The same location as annotations name it; without the folder if that lies elsewhere."""
    path = os.path.relpath(folder)
    return at if path == "." or path.startswith("..") else replace(at, file=f"{Path(path).as_posix()}/{at.file}")
