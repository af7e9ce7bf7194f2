"""`reference serve`: a model behind a real server on this machine."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Literal

import typer

from edgekit.api.builds import load_project
from edgekit.api.bundles import open_bundle
from edgekit.api.references import serve_reference
from edgekit.bundle.archive import Bundle
from edgekit.cli import options
from edgekit.cli.output import note, print_json, progress, say
from edgekit.errors import OptionError
from edgekit.servers.serve import Live, ServerPorts
from edgekit.specs.project import Project

group = typer.Typer(no_args_is_help=True, help="The cloud-serving reference: start one on this machine.")


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="reference")


@group.callback()
def _group() -> None:
    """Keep `serve` a sub-command, so that there may be others."""


@group.command("serve")
def serve_command(
    bundle: Annotated[
        Path | None, typer.Argument(metavar="[BUNDLE]", help="A .edgekit file; default: the project's float model.")
    ] = None,
    project: options.Project = None,
    example: options.Example = None,
    server: Annotated[Literal["triton", "mlserver"], typer.Option("--server", help="Which server.")] = "triton",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Of 127.0.0.1, for HTTP.")] = 8000,
    grpc_port: Annotated[int, typer.Option("--grpc-port", min=1, max=65535, help="Of 127.0.0.1, for gRPC.")] = 8001,
    json: options.Json = False,
) -> None:
    """Serve a model by the Open Inference Protocol until Ctrl-C: `edgekit run … --reference URL` compares with it.

    The server is installed once, in a virtual environment of its own. It listens on this machine only.
    """
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        with progress(f"reference · {server}") as watch:
            model = _model(bundle, project, example)
            live = stack.enter_context(serve_reference(model, server, ServerPorts(port, grpc_port), watch))
        _say(live, json)
        live.wait()


def _model(bundle: Path | None, project: Path | None, example: str | None) -> Bundle | Project:
    if bundle is None:
        return load_project(project, example=example)
    if project or example:
        raise OptionError("a bundle and a project were both given", hint="give one of them")
    return open_bundle(bundle)


def _say(live: Live, json: bool) -> None:
    if json:
        print_json({"url": live.url, "grpc_url": live.grpc_url, "model": live.model, "server": live.server})
        return
    say(f"{live.model} is served by {live.server}: {live.url}")
    note(f"also {live.grpc_url}\nedgekit run … --reference {live.url}\nCtrl-C ends it")
