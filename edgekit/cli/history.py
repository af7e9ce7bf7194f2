"""`history`: every bundle that was flashed to a device."""

from __future__ import annotations

import typer

from edgekit.api.devices import status
from edgekit.cli import options
from edgekit.cli.output import print_json, print_table, progress
from edgekit.cli.slot_table import event_rows


def register(app: typer.Typer) -> None:
    app.command("history")(history_command)


def history_command(device: options.Device, json: options.Json = False) -> None:
    """Every bundle that was flashed to a device, and what came of it, the latest last."""
    with progress(f"ask {device}"):
        report = status(device).model_dump(mode="json")
    if json:
        print_json({"schema": 1, "device": device, "history": report["history"]})
        return
    print_table(("when", "bundle", "version", "signed by", "verdict", "why"), event_rows(report))
