"""`build`: a signed bundle for each target, and a verdict that needs no device."""

from __future__ import annotations

import typer

from edgekit.api.build_session import build_requests, refused_backends, robustness_override
from edgekit.atomic import write
from edgekit.cli import options
from edgekit.cli.backend_table import build_each, exit_code, print_backends
from edgekit.cli.build_steps import (
    build_session,
    check_report_file,
    each_request,
    print_reports,
    rendered,
    supplements,
)
from edgekit.cli.continuous_integration import Ci, announce
from edgekit.cli.names import project_of
from edgekit.cli.output import note
from edgekit.pipeline.request import ALL


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
    ci: Ci = None,
    json: options.Json = False,
) -> None:
    """Build a signed bundle, verified on this host, and decide every gate that needs no device.

    Exit 0 unless a gate failed (1). With --backend all: one table of all backends at the end, exit 3 if one that fits
    the target could not be built.
    """
    check_report_file(report)
    changes = [*(overrides or ()), *robustness_override(robustness)]
    loaded = project_of(project, example, target, backend, profile)
    requests = build_requests(loaded, target, backend, profile, changes)
    if backend == ALL:
        refused = refused_backends(loaded, target, profile, changes)
        with build_session(requests, key, out, samples, reuse=not no_cache) as session:
            outcomes = build_each(session, refused, jobs)
        built = [each.report for each in outcomes if each.report]
        if json:
            print_reports(built, json)
        else:
            print_backends(outcomes)
        if report:
            write(report, rendered(report.suffix, built, project=project).encode())
        announce(ci, built, project)
        raise typer.Exit(exit_code(outcomes))
    with build_session(requests, key, out, samples, reuse=not no_cache) as session:
        reports = each_request(session, jobs, session.build)
    print_reports(reports, json, report, supplements(session, project, example), full, project)
    for request in requests:
        note(f"bundle: {session.folder(request) / f'{request.name}.edgekit'}")
    announce(ci, reports, project)
    raise typer.Exit(1 if any(outcome.verdict == "failed" for outcome in reports) else 0)
