"""`status`: what devices serve, and the state of their A/B slots."""

from __future__ import annotations

import typer

from edgekit.api.devices import status
from edgekit.cli import options
from edgekit.cli.fleet_table import (
    STATUS_HEAD,
    Document,
    exit_code,
    only_device,
    results_of,
    show_results,
    status_rows,
)
from edgekit.cli.output import note, print_json, print_table, progress
from edgekit.cli.slot_table import SLOT_HEAD, remarks, slot_rows


def register(app: typer.Typer) -> None:
    app.command("status")(status_command)


def status_command(device: options.Devices = None, group: options.Groups = None, json: options.Json = False) -> None:
    """Show what devices serve, what is in both slots and whether it is whole, and whom they trust.

    Of several devices, or all, a line each. Exit 0 if all answered, 3 if none did, else 1.
    """
    only = only_device(device, group)
    if only:
        _show_one(only, json)
        return
    results = results_of(device, group, "ask", asked)
    show_results(results, json, _without_history, STATUS_HEAD, status_rows(results))
    raise typer.Exit(exit_code(results))


def asked(device: str) -> Document:
    """Status of a device, as JSON has it."""
    return status(device).model_dump(mode="json")


def _show_one(device: str, json: bool) -> None:
    with progress(f"ask {device}"):
        report = asked(device)
    if json:
        print_json({"schema": 1, "device": device, **_without_history(report)})
        return
    print_table(SLOT_HEAD, slot_rows(report))
    for line in remarks(device, report):
        note(line)


def _without_history(report: Document) -> Document:
    return {key: report[key] for key in report if key != "history"}
