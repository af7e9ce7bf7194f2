"""`report`: the reports that builds and runs left."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.api.results import load_reports
from edgekit.cli.output import say_lines
from edgekit.errors import OptionError
from edgekit.pipeline.verdict import FORMS

FORMATS = {ending.removeprefix("."): render for ending, render in FORMS.items()}


def register(app: typer.Typer) -> None:
    app.command("report")(report_command)


def report_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What a build or a run left.")],
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "txt",
) -> None:
    """Show the reports in a folder, and in the folders in it."""
    if form not in FORMATS:
        raise OptionError(f"no report is written as '{form}'", hint=f"one of {', '.join(FORMATS)}")
    say_lines(FORMATS[form](load_reports(folder)))
