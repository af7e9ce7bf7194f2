"""`report`: the reports that builds and runs left, and the samples that they answer otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from edgekit.api.builds import load_project
from edgekit.api.results import load_report, load_reports
from edgekit.cli import options
from edgekit.cli.continuous_integration import Ci, announce, project_file
from edgekit.cli.output import say, say_lines
from edgekit.errors import OptionError, UsageError
from edgekit.pipeline.flips import flips_text, write_gallery, write_parquet
from edgekit.pipeline.verdict import FORMS
from edgekit.report.forms import pull_request, sarif

ENDINGS = {"junit": ".xml"}
"""Endings of files whose form has another name."""
FORMATS = {next((name for name, end in ENDINGS.items() if end == ending), ending[1:]): ending for ending in FORMS}
"""Ending of the file of each form that `--format` names."""
PULL_REQUEST = "pr"
FlipsForm = Literal["csv", "parquet", "gallery"]


def register(app: typer.Typer) -> None:
    app.command("report")(report_command)


def report_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What a build or a run left.")],
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join((*FORMATS, PULL_REQUEST))}.")] = "txt",
    flips: Annotated[
        FlipsForm | None,
        typer.Option(
            "--flips",
            help="Samples answered otherwise: csv on stdout, or a file in DIR; a gallery shows the samples.",
        ),
    ] = None,
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="OLD", help="With --format pr or --ci: an earlier DIR.")
    ] = None,
    ci: Ci = None,
    project: options.Project = None,
    example: options.Example = None,
) -> None:
    """Show the reports in a folder, and in the folders in it."""
    if form not in (*FORMATS, PULL_REQUEST):
        raise OptionError(f"no report is written as '{form}'", hint=f"one of {', '.join((*FORMATS, PULL_REQUEST))}")
    _check(form, flips, compare, ci, project, example)
    if flips:
        _show_flips(folder.parent if folder.is_file() else folder, flips, project, example)
        return
    reports, earlier = load_reports(folder), load_reports(compare) if compare else []
    if form == PULL_REQUEST:
        say_lines(pull_request.render(reports, earlier))
    elif form == "sarif":
        say_lines(sarif.render(reports, project_file(project)))
    else:
        say_lines(FORMS[FORMATS[form]](reports))
    announce(ci, reports, project, earlier)


def _check(
    form: str, flips: FlipsForm | None, compare: Path | None, ci: str | None, project: Path | None, example: str | None
) -> None:
    """Raise UsageError for options that do not go together."""
    if flips and (form != "txt" or ci):
        raise UsageError(f"{'--ci' if ci else '--format'} and --flips were both given", hint="give one of them")
    if compare and form != PULL_REQUEST and not ci:
        raise UsageError("--compare was given, and nothing that shows it", hint="--format pr --compare OLD")
    names_a_file = form == "sarif" or ci
    if (project and flips != "gallery" and not names_a_file) or (example and flips != "gallery"):
        raise UsageError("a report needs no project", hint="--flips gallery reads the samples of one")


def _show_flips(folder: Path, form: FlipsForm, project: Path | None, example: str | None) -> None:
    report = load_report(folder)
    if form == "csv":
        say_lines(flips_text(folder))
    elif form == "parquet":
        say(str(write_parquet(folder)))
    else:
        say(str(write_gallery(folder, report, load_project(project, example=example))))
