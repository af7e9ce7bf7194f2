"""`build`: a signed bundle for each target, and a verdict that needs no device."""

from __future__ import annotations

import typer

from edgekit.api.build_session import build_requests, robustness_override
from edgekit.api.builds import load_project
from edgekit.cli import options
from edgekit.cli.build_steps import build_session, check_report_file, each_request, print_reports, supplements


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
    report: options.ReportFile = None,
    full: options.Full = False,
    json: options.Json = False,
) -> None:
    """Build a signed bundle, verified on this host, and decide every gate that needs no device.

    Exit 0 unless a gate failed (1).
    """
    check_report_file(report)
    changes = [*(overrides or ()), *robustness_override(robustness)]
    requests = build_requests(load_project(project, example=example), target, backend, profile, changes)
    with build_session(requests, key, out, samples, reuse=not no_cache) as session:
        reports = each_request(session, jobs, session.build)
    print_reports(reports, json, report, supplements(session, project, example), full)
    raise typer.Exit(1 if any(outcome.verdict == "failed" for outcome in reports) else 0)
