"""`--ci`: annotations and a summary for the service that runs a command on every change."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from edgekit.atomic import stored
from edgekit.cli.output import note, print_commands
from edgekit.report.forms import github_annotations, pull_request
from edgekit.report.forms.sarif import PROJECT_FILE
from edgekit.report.report import Report

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
    print_commands(github_annotations.render(reports, project_file(project)))
    path = os.environ.get(SUMMARY)
    if not path:
        note(f"{SUMMARY} is not set, so no summary is written: this is no step of GitHub Actions")
        return
    with stored(Path(path)), Path(path).open("a", encoding="utf-8") as file:
        file.write(pull_request.render(reports, earlier))


def project_file(project: Path | None) -> str:
    """Path of the project's file as annotations name it: from the folder where the command was run."""
    folder = os.path.relpath(project) if project else "."
    return PROJECT_FILE if folder == "." or folder.startswith("..") else f"{Path(folder).as_posix()}/{PROJECT_FILE}"
