"""`plan`: what a build would do, and which of its stages are cached."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer

from edgekit.api.build_session import build_requests, output_folder, plan_request
from edgekit.cli import options
from edgekit.cli.names import project_of
from edgekit.cli.output import print_json, print_table


def register(app: typer.Typer) -> None:
    app.command("plan")(plan_command)


def plan_command(
    target: options.Target,
    project: options.Project = None,
    example: options.Example = None,
    backend: options.Backend = None,
    profile: options.Profile = None,
    out: options.Out = None,
    overrides: options.Set = None,
    json: options.Json = False,
) -> None:
    """Say what a build would do, without doing it and without loading torch."""
    requests = build_requests(
        project_of(project, example, target, backend, profile), target, backend, profile, overrides or ()
    )
    plans = [
        {**asdict(plan_request(request)), "out": str(output_folder(request, requests, out))} for request in requests
    ]
    if json:
        print_json({"schema": 1, "plans": plans})
        return
    for plan in plans:
        shown = {**plan, "accelerators": plan["accelerators"] or "none"}
        print_table(("plan", plan["target"]), [(name, _words(value)) for name, value in shown.items()])


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(inner)}" for name, inner in value.items())
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
