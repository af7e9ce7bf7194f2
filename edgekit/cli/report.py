"""`report`: the reports that builds and runs left, and the samples that they answer otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from edgekit.api.builds import load_project
from edgekit.api.results import load_report, load_reports, reports_by_file
from edgekit.atomic import write
from edgekit.cli import options
from edgekit.cli.build_steps import check_report_file, rendered
from edgekit.cli.continuous_integration import Ci, announce
from edgekit.cli.output import say, say_form, say_lines
from edgekit.cli.report_lines import columns, say_report
from edgekit.errors import OptionError, UsageError
from edgekit.pipeline.flips import flips_text, write_gallery, write_parquet
from edgekit.pipeline.supplements import supplement
from edgekit.pipeline.verdict import FORMS
from edgekit.report.forms import pull_request, text
from edgekit.report.report import Report
from edgekit.report.supplement import Supplement

ENDINGS = {"junit": ".xml"}
"""Endings of files whose form has another name."""
FORMATS = {next((name for name, end in ENDINGS.items() if end == ending), ending[1:]): ending for ending in FORMS}
"""Ending of the file of each form that `--format` names."""
PULL_REQUEST = "pr"
PRINTED_LINES = frozenset({"json", "junit", "sarif"})
"""Forms that programs read: nothing is put around runs from right to left in them."""
FlipsForm = Literal["csv", "parquet", "gallery"]


def register(app: typer.Typer) -> None:
    app.command("report")(report_command)


def report_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What a build or a run left.")],
    form: Annotated[
        str, typer.Option("--format", metavar="F", help=f"One of {', '.join((*FORMATS, PULL_REQUEST))}.")
    ] = "txt",
    flips: Annotated[
        FlipsForm | None,
        typer.Option(
            "--flips",
            help="Samples answered otherwise: csv on stdout, or a file in DIR; a gallery shows the samples.",
        ),
    ] = None,
    report: options.ReportFile = None,
    full: options.Full = False,
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="OLD", help="With --format pr or --ci: an earlier DIR.")
    ] = None,
    ci: Ci = None,
    project: options.Project = None,
    example: options.Example = None,
    json: options.Json = False,
) -> None:
    """Show the reports in a folder, and in the folders in it.

    With --project or --example, a page (--format html, --report FILE.html) shows the samples that flipped.
    """
    check_report_file(report)
    if json and (form != "txt" or flips or report):
        raise UsageError("--json and another form were both given", hint="give one of them")
    form = "json" if json else form
    if form not in (*FORMATS, PULL_REQUEST):
        raise OptionError(f"no report is written as '{form}'", hint=f"one of {', '.join((*FORMATS, PULL_REQUEST))}")
    page = flips is None and (form == "html" or (report is not None and report.suffix == ".html"))
    if flips and (form != "txt" or report or ci):
        other = "--ci" if ci else "--report" if report else "--format"
        raise UsageError(f"{other} and --flips were both given", hint="give one of them")
    if compare and form != PULL_REQUEST and not ci:
        raise UsageError("--compare was given, and nothing that shows it", hint="--format pr --compare OLD")
    if full and (form != "txt" or flips or report):
        raise UsageError("--full is for the terminal", hint="all other forms are whole: leave it out")
    shows_samples = page or flips == "gallery"
    names_a_file = form == "sarif" or ci or (report is not None and report.suffix == ".sarif")
    if (project and not shows_samples and not names_a_file) or (example and not shows_samples):
        raise UsageError("a report needs no project", hint="--flips gallery and --format html show samples of one")
    if flips:
        _show_flips(folder.parent if folder.is_file() else folder, flips, project, example)
        return
    reports, earlier = load_reports(folder), load_reports(compare) if compare else []
    if form == PULL_REQUEST:
        say_lines(pull_request.render(reports, earlier))
    else:
        _show(reports, form, report, full, _supplements(folder, project, example, page), project)
    announce(ci, reports, project, earlier)


def _supplements(folder: Path, project: Path | None, example: str | None, page: bool) -> list[Supplement]:
    """Read what lies beside each report; pictures for a page alone, and where the project was named."""
    words = options.project_words(project, example)
    named = load_project(project, example=example) if page and words else None
    return [supplement(file.parent, report, words, named) for file, report in reports_by_file(folder)]


def _show(
    reports: Sequence[Report],
    form: str,
    file: Path | None,
    full: bool,
    supplements: Sequence[Supplement],
    project: Path | None,
) -> None:
    if file:
        write(file, rendered(file.suffix, reports, supplements, project).encode())
        say(str(file))
    elif form == "txt":
        say_report(text.lines(reports, supplements, full=full, width=columns()))
    else:
        show = say_lines if form in PRINTED_LINES else say_form
        show(rendered(FORMATS[form], reports, supplements, project))


def _show_flips(folder: Path, form: FlipsForm, project: Path | None, example: str | None) -> None:
    report = load_report(folder)
    if form == "csv":
        say_lines(flips_text(folder))
    elif form == "parquet":
        say(str(write_parquet(folder)))
    else:
        say(str(write_gallery(folder, report, load_project(project, example=example))))
