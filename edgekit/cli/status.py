"""`status`: what a device serves, and the state of its A/B slots."""

from __future__ import annotations

import typer

from edgekit.api.devices import status
from edgekit.cli import options
from edgekit.cli.output import note, print_json, print_table, progress
from edgekit.cli.slot_table import SLOT_HEAD, remarks, slot_rows


def register(app: typer.Typer) -> None:
    app.command("status")(status_command)


def status_command(device: options.Device, json: options.Json = False) -> None:
    """Show what a device serves, what is in both slots and whether it is whole, and whom it trusts."""
    with progress(f"ask {device}"):
        report = status(device).model_dump(mode="json")
    if json:
        print_json({"schema": 1, "device": device, **{key: report[key] for key in report if key != "history"}})
        return
    print_table(SLOT_HEAD, slot_rows(report))
    for line in remarks(device, report):
        note(line)
