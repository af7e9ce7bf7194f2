"""`report`: the reports that builds and runs left, and the samples that they answer otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from edgekit.api.builds import load_project
from edgekit.api.results import load_report, load_reports
from edgekit.cli import options
from edgekit.cli.output import say, say_lines
from edgekit.errors import OptionError, UsageError
from edgekit.pipeline.flips import flips_text, write_gallery, write_parquet
from edgekit.pipeline.verdict import FORMS

FORMATS = {ending.removeprefix("."): render for ending, render in FORMS.items()}
FlipsForm = Literal["csv", "parquet", "gallery"]


def register(app: typer.Typer) -> None:
    app.command("report")(report_command)


def report_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What a build or a run left.")],
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "txt",
    flips: Annotated[
        FlipsForm | None,
        typer.Option(
            "--flips",
            help="Samples answered otherwise: csv on stdout, or a file in DIR; a gallery shows the samples.",
        ),
    ] = None,
    project: options.Project = None,
    example: options.Example = None,
) -> None:
    """Show the reports in a folder, and in the folders in it."""
    if form not in FORMATS:
        raise OptionError(f"no report is written as '{form}'", hint=f"one of {', '.join(FORMATS)}")
    if (project or example) and flips != "gallery":
        raise UsageError("a report needs no project", hint="--flips gallery reads the samples of one")
    if flips is None:
        say_lines(FORMATS[form](load_reports(folder)))
        return
    if form != "txt":
        raise UsageError("--format and --flips were both given", hint="give one of them")
    _show_flips(folder.parent if folder.is_file() else folder, flips, project, example)


def _show_flips(folder: Path, form: FlipsForm, project: Path | None, example: str | None) -> None:
    report = load_report(folder)
    if form == "csv":
        say_lines(flips_text(folder))
    elif form == "parquet":
        say(str(write_parquet(folder)))
    else:
        say(str(write_gallery(folder, report, load_project(project, example=example))))
