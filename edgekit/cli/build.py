"""`build`: a signed bundle for each target, and a verdict that needs no device."""

from __future__ import annotations

import typer

from edgekit.api.build_session import build_requests, robustness_override
from edgekit.api.builds import load_project
from edgekit.cli import options
from edgekit.cli.build_steps import build_session, each_request, print_reports
from edgekit.cli.next_command import note_after_build


def register(app: typer.Typer) -> None:
    app.command("build")(build_command)


def build_command(
    target: options.Target,
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
    no_cache: options.NoCache = False,
    json: options.Json = False,
) -> None:
    """Build a signed bundle, verified on this host, and decide every gate that needs no device.

    Exit 0 unless a gate failed (1).
    """
    changes = [*(overrides or ()), *robustness_override(robustness)]
    requests = build_requests(load_project(project, example=example), target, backend, profile, changes)
    with build_session(requests, key, out, samples, reuse=not no_cache) as session:
        reports = each_request(session, jobs, session.build)
    print_reports(reports, json)
    for request, report in zip(requests, reports, strict=True):
        note_after_build(request, report, session.folder(request))
    raise typer.Exit(1 if any(report.verdict == "failed" for report in reports) else 0)
