"""`rollback`: back to what a device served before."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from edgekit.api.devices import rollback
from edgekit.cli import options
from edgekit.cli.output import print_json, progress, say
from edgekit.cli.slot_table import short
from edgekit.devices.protocol import Slot


def register(app: typer.Typer) -> None:
    app.command("rollback")(rollback_command)


def rollback_command(
    device: options.Device,
    runtime: options.Runtime = None,
    untested: Annotated[bool, typer.Option("--untested", help="Go back even if that model was not run first.")] = False,
    json: options.Json = False,
) -> None:
    """Drop what is on trial; without a trial, serve what was committed before, once it has passed its self-test."""
    with progress(f"rollback {device}"):
        outcome = rollback(device, runtime=runtime, untested=untested)
    if json:
        print_json({"schema": 1, "device": device, "left": _json(outcome.slot), "served": _json(outcome.served)})
        return
    served = f"serves {short(outcome.served.digest)}" if outcome.served else "serves nothing"
    say(f"{device} has left {short(outcome.slot.digest)} ({outcome.slot.state}), and {served}")


def _json(slot: Slot | None) -> dict[str, Any] | None:
    return slot.model_dump(mode="json") if slot else None
