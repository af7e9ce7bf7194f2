"""`doctor`: what this machine has and lacks, and what to type."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import options
from edgekit.cli.output import print_json, print_table, progress, say
from edgekit.pipeline.checkup import checkup

MARKS = {"ok": "ok", "missing": "MISSING", "note": "-"}


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor_command)


def doctor_command(
    devices: Annotated[bool, typer.Option("--devices", help="Ask every device that has a name.")] = False,
    json: options.Json = False,
) -> None:
    """Say what this machine has and lacks, and what to type: versions, memory, disk, QEMU, adb, ssh, devices.

    Nothing is installed or fetched; adb starts its server where none runs. Exit 1 if something that a build needs is
    missing.
    """
    with progress("doctor"):
        findings = checkup(Path(), devices)
    missing = [each.name for each in findings if each.state == "missing"]
    if json:
        print_json({"schema": 1, "findings": [asdict(each) for each in findings]})
        raise typer.Exit(1 if missing else 0)
    print_table(
        ("", "", "found", "to type"), [(each.name, MARKS[each.state], each.text, each.command) for each in findings]
    )
    say(f"missing for builds: {', '.join(missing)}" if missing else "builds can run here")
    raise typer.Exit(1 if missing else 0)
