"""`rollback`: back to what devices served before."""

from __future__ import annotations

from typing import Annotated

import typer

from edgekit.api.devices import rollback
from edgekit.cli import options
from edgekit.cli.commit import trial_in
from edgekit.cli.fleet_table import Document, exit_code, failure, only_device, results_of, show_results
from edgekit.cli.output import note, print_json, progress, say
from edgekit.cli.slot_table import bundle_words
from edgekit.cli.status import asked

UNDONE = {"staged": "never on trial", "trial": "on trial", "committed": "committed"}
"""Words for the state of the slot that was left."""
NOTHING_DONE: Document = {"left": None, "served": None}


def register(app: typer.Typer) -> None:
    app.command("rollback")(rollback_command)


def rollback_command(
    device: options.Devices = None,
    group: options.Groups = None,
    runtime: options.Runtime = None,
    untested: Annotated[bool, typer.Option("--untested", help="Go back even if that model was not run first.")] = False,
    json: options.Json = False,
) -> None:
    """Drop what is on trial; without a trial, serve what was committed before, once it has passed its self-test.

    Without a device, list what each would leave and serve. Exit 0 if all did it, 3 if none did, else 1.
    """

    def work(name: str) -> Document:
        result = rollback(name, runtime=runtime, untested=untested)
        return {
            "left": result.slot.model_dump(mode="json"),
            "served": result.served.model_dump(mode="json") if result.served else None,
        }

    only = only_device(device, group)
    if only:
        with progress(f"rollback {only}"):
            outcome = work(only)
        if json:
            print_json({"schema": 1, "device": only, **outcome})
        else:
            say(f"{only} has left {_left(outcome)}, and serves {bundle_words(outcome['served'])}")
        return
    if not device and not group:
        _list_ways_back(json)
        return
    results = results_of(device, group, "rollback on", work)
    rows = [(each.device.name, *_cells(each.result), failure(each.error)) for each in results]
    show_results(results, json, lambda done: done or NOTHING_DONE, ("device", "has left", "serves", ""), rows)
    raise typer.Exit(exit_code(results))


def _left(outcome: Document) -> str:
    slot = outcome["left"]
    return f"{bundle_words(slot)}, {UNDONE.get(slot['state'], slot['state'])}"


def _cells(outcome: Document | None) -> tuple[str, str]:
    if outcome is None:
        return ("", "")
    return (_left(outcome), bundle_words(outcome["served"]))


def _list_ways_back(json: bool) -> None:
    results = results_of(None, None, "ask", asked)
    rows = [(each.device.name, *_way_cells(way_back(each.result or {})), failure(each.error)) for each in results]
    show_results(results, json, way_back, ("device", "would leave", "and serve", ""), rows)
    if not json:
        note("nothing was changed: --device NAME or --group G rolls back")
    raise typer.Exit(exit_code(results))


def way_back(status: Document) -> Document:
    """Slots that a rollback would leave and serve; both None where there is nothing to go back to."""
    slots, current = status.get("slots", {}), status.get("current")
    trial = trial_in(status)
    if trial:
        return {"would_leave": trial, "would_serve": slots[current] if current else None}
    behind = next((slot for name, slot in slots.items() if name != current and slot["state"] == "committed"), None)
    return {"would_leave": slots[current] if current and behind else None, "would_serve": behind}


def _way_cells(way: Document) -> tuple[str, str]:
    left, served = way["would_leave"], way["would_serve"]
    return (bundle_words(left), bundle_words(served)) if left else ("-", "-")
