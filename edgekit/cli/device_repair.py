"""`device repair`: a device that has lost which slot holds what, or which one it serves."""

from __future__ import annotations

from edgekit.cli import options
from edgekit.cli.output import note, print_json, print_table, progress, say
from edgekit.cli.slot_table import SLOT_HEAD, remarks, slot_rows
from edgekit.devices.device import connect
from edgekit.devices.flash import status
from edgekit.devices.repair import repair


def repair_command(
    device: options.DeviceArgument,
    json: options.Json = False,
) -> None:
    """Rebuild what a device says of its slots from the slots that verify, and say what had to be assumed.

    What is served stays if it is whole. Where all is in order nothing is changed.
    """
    with progress(f"repair {device}"), connect(device) as transport:
        repaired = repair(transport)
        report = status(transport).model_dump(mode="json")
    if json:
        print_json({"schema": 1, "device": device, **repaired.model_dump(mode="json"), "slots": report["slots"]})
        return
    for line in repaired.assumed:
        say(f"assumed: {line}")
    say(f"{device} is repaired" if repaired.changed else f"{device} needs no repair")
    print_table(SLOT_HEAD, slot_rows(report))
    for line in remarks(device, report):
        note(line)
