"""`run`: build, flash, probe, compare; the verdict commits what was flashed, or takes it back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.api.build_session import build_requests, reference_override, robustness_override
from edgekit.cli import options
from edgekit.cli.build_steps import build_session, check_report_file, each_request, print_reports, supplements
from edgekit.cli.continuous_integration import Ci, announce
from edgekit.cli.names import project_of
from edgekit.cli.output import note
from edgekit.cli.probe_request import prompt_of
from edgekit.pipeline.run import Trial
from edgekit.specs.accelerator import AcceleratorChoice


def register(app: typer.Typer) -> None:
    app.command("run")(run_command)


def run_command(
    target: options.Target,
    device: options.Device = "local://",
    project: options.Project = None,
    example: options.Example = None,
    backend: options.Backend = None,
    profile: options.Profile = None,
    out: options.Out = None,
    overrides: options.Set = None,
    samples: options.Samples = None,
    robustness: options.Robustness = None,
    jobs: options.Jobs = 1,
    key: options.Key = "default",
    reference: Annotated[str | None, typer.Option("--reference", metavar="URL", help="What to compare with.")] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="PATH", help="An earlier run's report or --out: counts are compared."),
    ] = None,
    report: options.ReportFile = None,
    runtime: options.Runtime = None,
    accelerator: options.Accelerator = None,
    accelerator_option: options.AcceleratorOption = None,
    generate: options.Generate = None,
    prompt: options.Prompt = None,
    prompt_tokens: options.PromptTokens = None,
    stop_early: Annotated[
        bool, typer.Option("--stop-early", help="Ask the device no more samples than decide the gates on its answers.")
    ] = False,
    no_commit: Annotated[bool, typer.Option("--no-commit", help="Leave what was flashed on trial.")] = False,
    no_cache: options.NoCache = False,
    full: options.Full = False,
    ci: Ci = None,
    json: options.Json = False,
) -> None:
    """Build, flash, probe the device and the reference, and compare: the verdict commits, or takes it back.

    Exit 0 if every gate passed, 1 if one failed or could not be decided.
    """
    check_report_file(report)
    beginning = prompt_of(generate, prompt, prompt_tokens)
    requests = build_requests(
        project_of(project, example, target, backend, profile),
        target,
        backend,
        profile,
        [*(overrides or ()), *reference_override(reference), *robustness_override(robustness)],
        device=device,
    )
    choice = AcceleratorChoice.typed(accelerator, accelerator_option, project)
    outcomes: list[str] = []  # what became of the model on the device: told before the reports
    trial = Trial(device, not no_commit, runtime, baseline, beginning, choice, stop_early, outcomes.append)
    with build_session(requests, key, out, samples, reuse=not no_cache) as session:
        reports = each_request(session, jobs, lambda request, watch: session.run(request, trial, watch))
    for sentence in outcomes:
        note(sentence)
    print_reports(reports, json, report, supplements(session, project, example), full, project)
    announce(ci, reports, project)
    raise typer.Exit(0 if all(outcome.verdict == "passed" for outcome in reports) else 1)
