"""`commit`: serve what is on trial from now on."""

from __future__ import annotations

import typer

from edgekit.api.devices import commit
from edgekit.cli import options
from edgekit.cli.fleet_table import Document, chosen_devices, documents, exit_code, failure, only_device, print_results
from edgekit.cli.output import note, print_json, progress, say
from edgekit.cli.slot_table import bundle_words
from edgekit.cli.status import asked
from edgekit.pipeline.each_device import each_device


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
    chosen = chosen_devices(device, group)
    with progress(f"commit on {len(chosen)} devices"):
        results = each_device(chosen, committed)
    if json:
        print_json({"schema": 1, "devices": documents(results, lambda served: {"served": served or None})})
    else:
        rows = [
            (each.device.name, bundle_words(each.result) if each.result else "", failure(each.error))
            for each in results
        ]
        print_results(("device", "serves", ""), rows, results)
    raise typer.Exit(exit_code(results))


def committed(device: str) -> Document:
    """Commit the trial of a device; its slot, as JSON has it."""
    return commit(device).model_dump(mode="json") | {"state": "committed", "until_s": None}


def _list_trials(json: bool) -> None:
    chosen = chosen_devices(None, None)
    with progress(f"ask {len(chosen)} devices"):
        results = each_device(chosen, asked)
    if json:
        print_json({"schema": 1, "devices": documents(results, lambda status: {"trial": trial_in(status)})})
    else:
        rows = [
            (each.device.name, bundle_words(trial_in(each.result)) if each.result else "", failure(each.error))
            for each in results
        ]
        print_results(("device", "on trial", ""), rows, results)
        note("nothing was changed: --device NAME or --group G commits")
    raise typer.Exit(exit_code(results))


def trial_in(status: Document) -> Document | None:
    """Slot on trial, if there is one."""
    return next((slot for slot in status.get("slots", {}).values() if slot["state"] == "trial"), None)
