"""`commit`: serve what is on trial from now on."""

from __future__ import annotations

import typer

from edgekit.api.devices import commit
from edgekit.cli import options
from edgekit.cli.fleet_table import Document, exit_code, failure, only_device, results_of, show_results
from edgekit.cli.output import note, print_json, progress, say
from edgekit.cli.slot_table import bundle_words
from edgekit.cli.status import asked
from edgekit.pipeline.each_device import DeviceResult


def register(app: typer.Typer) -> None:
    app.command("commit")(commit_command)


def commit_command(device: options.Devices = None, group: options.Groups = None, json: options.Json = False) -> None:
    """Serve what is on trial from now on: what --no-commit left, and a person has looked at.

    Without a device, list what is on trial anywhere. Exit 0 if all did it, 3 if none did, else 1.
    """
    only = only_device(device, group)
    if only:
        with progress(f"commit {only}"):
            served = committed(only)
        if json:
            print_json({"schema": 1, "device": only, "served": served})
        else:
            say(f"{only} serves {bundle_words(served)}")
        return
    if not device and not group:
        _list_trials(json)
        return
    results = results_of(device, group, "commit on", committed)
    rows = [_row(each, each.result) for each in results]
    show_results(results, json, lambda served: {"served": served or None}, ("device", "serves", ""), rows)
    raise typer.Exit(exit_code(results))


def committed(device: str) -> Document:
    """Commit the trial of a device; its slot, as JSON has it."""
    return commit(device).model_dump(mode="json") | {"state": "committed", "until_s": None}


def _list_trials(json: bool) -> None:
    results = results_of(None, None, "ask", asked)
    rows = [_row(each, trial_in(each.result or {})) for each in results]
    show_results(results, json, lambda status: {"trial": trial_in(status)}, ("device", "on trial", ""), rows)
    if not json:
        note("nothing was changed: --device NAME or --group G commits")
    raise typer.Exit(exit_code(results))


def _row(answer: DeviceResult[Document], slot: Document | None) -> tuple[str, ...]:
    return (answer.device.name, bundle_words(slot) if answer.result else "", failure(answer.error))


def trial_in(status: Document) -> Document | None:
    """Slot on trial, if there is one."""
    return next((slot for slot in status.get("slots", {}).values() if slot["state"] == "trial"), None)
