"""`flash`: a bundle that was built before, onto a device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import KeyStore
from edgekit.cli import options
from edgekit.cli.output import print_json, progress
from edgekit.pipeline.deploy import deploy

BundleFile = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A .edgekit file.")]
LOCAL = "local://"


def register(app: typer.Typer) -> None:
    app.command("flash")(flash_command)


def flash_command(
    bundle: BundleFile,
    device: options.Device,
    runtime: options.Runtime = None,
    no_commit: Annotated[bool, typer.Option("--no-commit", help="Leave it on trial.")] = False,
    json: options.Json = False,
) -> None:
    """Put a bundle on a device; it is served once its self-test there has passed."""
    opened = Bundle.open(bundle, KeyStore.of_user().trusted())
    with progress(f"flash {device}"):
        installed = deploy(opened, device, runtime, keep_trial=no_commit)
    state = "committed before" if installed.committed else "on trial" if no_commit else "committed"
    if json:
        print_json(
            {"schema": 1, "device": device, "slot": str(installed.slot), "digest": opened.digest, "state": state}
        )
        return
    typer.echo(f"{opened.manifest.name} for {opened.manifest.target}: {state} on {device} ({installed.slot})")
