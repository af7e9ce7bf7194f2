"""`history`: every bundle that was flashed to devices."""

from __future__ import annotations

import typer

from edgekit.cli import options
from edgekit.cli.fleet_table import Document, exit_code, failure, only_device, results_of, show_results
from edgekit.cli.output import print_json, print_table, progress
from edgekit.cli.slot_table import EVENT_HEAD, event_rows
from edgekit.cli.status import asked
from edgekit.pipeline.each_device import DeviceResult


def register(app: typer.Typer) -> None:
    app.command("history")(history_command)


def history_command(device: options.Devices = None, group: options.Groups = None, json: options.Json = False) -> None:
    """Every bundle that was flashed to devices, and what came of it, the latest last.

    Exit 0 if all devices answered, 3 if none did, else 1.
    """
    only = only_device(device, group)
    if only:
        _show_one(only, json)
        return
    results = results_of(device, group, "ask", asked)
    rows = [row for result in results for row in _rows(result)]
    show_results(results, json, lambda report: {"history": report.get("history", [])}, ("device", *EVENT_HEAD), rows)
    raise typer.Exit(exit_code(results))


def _show_one(device: str, json: bool) -> None:
    with progress(f"ask {device}"):
        report = asked(device)
    if json:
        print_json({"schema": 1, "device": device, "history": report["history"]})
        return
    print_table(EVENT_HEAD, event_rows(report))


def _rows(result: DeviceResult[Document]) -> list[tuple[str, ...]]:
    if result.result is None:
        return [(result.device.name, "", "", "", "", "", failure(result.error))]
    return [(result.device.name, *row) for row in event_rows(result.result)]
