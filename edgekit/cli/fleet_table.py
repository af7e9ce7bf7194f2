"""Answers of several devices as a table and as JSON, and the exit code for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgekit.cli.output import note, print_json, print_table, progress
from edgekit.cli.slot_table import bundle_words
from edgekit.devices.device import Destination, destinations
from edgekit.errors import EdgekitError
from edgekit.ir.plural import counted
from edgekit.pipeline.each_device import DeviceResult, each_device, known_devices

Document = dict[str, Any]
STATUS_HEAD = ("device", "serves", "other slot", "files", "")
NOBODY = "no device has a name here, and none is up: edgekit device add NAME ssh://user@host"


def only_device(devices: Sequence[str] | None, groups: Sequence[str] | None) -> str | None:
    """The device, if exactly one was named and no group: its answer is shown alone, and its error ends the command."""
    return devices[0] if devices and len(devices) == 1 and not groups else None


def chosen_devices(devices: Sequence[str] | None, groups: Sequence[str] | None) -> tuple[Destination, ...]:
    """Devices that were named, and those of the groups; all that are known if none was. Raises UsageError."""
    chosen = destinations(devices or (), groups or ()) if devices or groups else known_devices()
    if not chosen:
        note(NOBODY)
    return chosen


def results_of(
    devices: Sequence[str] | None, groups: Sequence[str] | None, doing: str, work: Callable[[str], Document]
) -> tuple[DeviceResult[Document], ...]:
    """Results of `work` on each of `chosen_devices`. doing: words for the line of progress, such as `ask`."""
    chosen = chosen_devices(devices, groups)
    with progress(f"{doing} {counted(len(chosen), 'device')}"):
        return each_device(chosen, work)


def show_results(
    results: Sequence[DeviceResult[Document]],
    json: bool,
    select: Callable[[Document], Document],
    head: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
) -> None:
    """Print results as JSON, of each device what `select` takes, or else as a table of `rows`."""
    if json:
        print_json({"schema": 1, "devices": documents(results, select)})
    else:
        print_results(head, rows, results)


def exit_code(results: Sequence[DeviceResult[Any]]) -> int:
    """0 if all devices did what was asked, 3 if none did, else 1."""
    failed = [result.error is not None for result in results]
    return 0 if not any(failed) else 3 if all(failed) else 1


def status_rows(results: Sequence[DeviceResult[Document]]) -> list[tuple[str, ...]]:
    """Rows of a table with a line a device."""
    return [(result.device.name, *_status_cells(result.result, result.error)) for result in results]


def documents(results: Sequence[DeviceResult[Document]], select: Callable[[Document], Document]) -> list[Document]:
    """JSON of each device: its name, what `select` takes of its answer, and its error."""
    return [
        {"device": each.device.name, "url": each.device.url, **select(each.result or {}), "error": _error(each.error)}
        for each in results
    ]


def tell_errors(results: Sequence[DeviceResult[Any]]) -> None:
    """Print the hints of the errors, each once."""
    for hint in dict.fromkeys(each.error.hint for each in results if each.error and each.error.hint):
        note(f"hint: {hint}")


def print_results(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], results: Sequence[DeviceResult[Any]]) -> None:
    """Print a table of devices, if there are any, and the hints of their errors."""
    if rows:
        print_table(head, rows)
    tell_errors(results)


def failure(error: EdgekitError | None) -> str:
    """Error of a device in a cell."""
    return f"{error.code} {error}" if error else ""


def _status_cells(status: Document | None, error: EdgekitError | None) -> tuple[str, ...]:
    if status is None:
        return ("", "", "", failure(error))
    current = status["current"]
    served = bundle_words(status["slots"][current] if current else None)
    others = [slot for name, slot in status["slots"].items() if name != current and slot["state"] != "empty"]
    behind = "; ".join(f"{bundle_words(slot)}, {slot['state']}" for slot in others)
    damaged = [name for name, slot in status["slots"].items() if slot["state"] != "empty" and not slot["whole"]]
    whole = "" if not current and not others else f"slot {' '.join(damaged)} DAMAGED" if damaged else "whole"
    return (served, behind, whole, "; ".join(damage["why"] for damage in status["damage"]))


def _error(error: EdgekitError | None) -> Document | None:
    return {"code": error.code, "message": str(error), "hint": error.hint} if error else None
