"""`ablate`: what each step of a profile buys and costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.api.ablation import default_folder, kept_in, to_json
from edgekit.api.build_session import build_cache, one_request
from edgekit.cli import completion, options
from edgekit.cli.build_steps import title_of
from edgekit.cli.names import project_of
from edgekit.cli.output import note, print_document, progress, say_lines
from edgekit.errors import OptionError
from edgekit.ir.plural import counted
from edgekit.parity.ablation import Ablation
from edgekit.pipeline.ablation import AblationSession
from edgekit.pipeline.run import Trial
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.report.forms.table import TABLE_FORMS
from edgekit.report.sections.ablation import ablation_section
from edgekit.specs.recipe_steps import recipe_steps


def register(app: typer.Typer) -> None:
    app.command("ablate")(ablate_command)


def ablate_command(
    target: Annotated[
        str,
        typer.Option(
            "--target",
            metavar="ID|FAMILY",
            help="A board, or a family's default board.",
            autocompletion=completion.targets,
        ),
    ],
    project: options.Project = None,
    example: options.Example = None,
    backend: options.Backend = None,
    profile: options.Profile = None,
    overrides: options.Set = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="NAME|URL",
            help="Also measure the work of an inference there: emulated counts instructions, others are timed.",
            autocompletion=completion.devices,
        ),
    ] = None,
    samples: options.Samples = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where the table is kept, row by row.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(TABLE_FORMS)}.")] = "txt",
    no_cache: options.NoCache = False,
    json: options.Json = False,
) -> None:
    """Take the steps of a profile out one at a time, and say what each buys and costs.

    Exit 0 whatever is found. What was measured is kept in --out after every row, and stages in the cache: stopped, it
    goes on from there when it is run again.
    """
    if form not in TABLE_FORMS:
        raise OptionError(f"no table is written as '{form}'", hint=f"one of {', '.join(TABLE_FORMS)}")
    request = one_request(
        project_of(project, example, target, backend, profile), target, backend, profile, overrides or ()
    )
    folder = out or default_folder(request)
    write, kept = kept_in(folder), list[Ablation]()

    def keep(ablation: Ablation) -> None:
        write(ablation)
        kept[:] = [ablation]

    with build_cache(not no_cache) as cache, progress(title_of(request)) as watch:
        session = AblationSession(request, StageRunner(cache, watch), Trial(device) if device else None, samples)
        try:
            ablation = session.ablate(keep)
        except BaseException:
            if kept:
                note(f"{len(kept[0].rows)} of {counted(len(recipe_steps(request.profile)), 'step')} kept in '{folder}'")
            raise
    if json:
        print_document(to_json(ablation))
    else:
        say_lines(TABLE_FORMS[form](ablation_section(ablation)))
