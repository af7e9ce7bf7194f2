"""`status`, `history`, `rollback`: what a device has in its slots, what happened to them, and a way back."""

from __future__ import annotations

from typing import Any

import typer

from edgekit.cli import options
from edgekit.cli.output import note, print_json, print_table, progress, say
from edgekit.devices.answers import Slot
from edgekit.devices.device import connect
from edgekit.devices.flash import status
from edgekit.pipeline.goback import go_back

SHORT = 12
"""So much of a digest tells bundles apart for a person."""


def register(app: typer.Typer) -> None:
    app.command("status")(status_command)
    app.command("history")(history_command)
    app.command("rollback")(rollback_command)


def status_command(device: options.Device, json: options.Json = False) -> None:
    """What a device serves, what is in both slots and whether it is whole, and whom it trusts."""
    said = _asked(device)
    if json:
        print_json({"schema": 1, "device": device, **_without(said, "history")})
        return
    print_table(("slot", "state", "bundle", "version", "signed by", "files"), slot_rows(said))
    for line in remarks(said):
        note(line)


def history_command(device: options.Device, json: options.Json = False) -> None:
    """Every bundle that was flashed to a device, and what came of it, the latest last."""
    said = _asked(device)
    if json:
        print_json({"schema": 1, "device": device, "history": said["history"]})
        return
    print_table(("when", "bundle", "version", "signed by", "verdict", "why"), event_rows(said))


def rollback_command(device: options.Device, json: options.Json = False) -> None:
    """Drop what is on trial; without a trial, serve what was committed before."""
    with progress(f"rollback {device}"), connect(device) as way:
        left = go_back(way)
    if json:
        print_json({"schema": 1, "device": device, "left": _json(left.slot), "served": _json(left.served)})
        return
    served = f"serves {short(left.served.digest)}" if left.served else "serves nothing"
    say(f"{device} has left {short(left.slot.digest)} ({left.slot.state}), and {served}")


def slot_rows(said: dict[str, Any]) -> list[tuple[str, ...]]:
    """Both slots, for a person."""
    return [
        (
            name + (" (served)" if name == said["current"] else ""),
            slot["state"] + _left(slot.get("until_s")),
            short(slot["digest"]),
            _known(slot.get("version")),
            " ".join(slot.get("signers") or ()),
            "" if slot["state"] == "empty" else "whole" if slot["whole"] else "DAMAGED",
        )
        for name, slot in said["slots"].items()
    ]


def event_rows(said: dict[str, Any]) -> list[tuple[str, ...]]:
    """The history, for a person."""
    return [
        (
            event["when"],
            short(event["digest"]),
            _known(event.get("version")),
            " ".join(event.get("signers") or ()),
            event["verdict"],
            _incident(event.get("detail")),
        )
        for event in said["history"]
    ]


def remarks(said: dict[str, Any]) -> list[str]:
    """Whom the device trusts, and who is at work on it, as far as it says so."""
    lines = [] if said["current"] else ["nothing is served"]
    trust, lease = said.get("trust"), said.get("lease")
    if trust:
        keys = " ".join(key["id"] for key in trust["keys"]) or "no key yet"
        board = f", as a {trust['target']}" if trust.get("target") else ""
        lines.append(f"trusts {keys}; {trust['threshold']} must sign; version {trust['floor']} or later{board}")
        if trust["revoked"]:
            lines.append(f"revoked: {' '.join(trust['revoked'])}")
    if lease:
        lines.append(f"{lease['holder']} is flashing it, for {lease['left_s']:.0f} s at most")
    return lines


def short(digest: str | None) -> str:
    return (digest or "")[:SHORT]


def _asked(device: str) -> dict[str, Any]:
    with progress(f"ask {device}"), connect(device) as way:
        return status(way).model_dump(mode="json")


def _json(slot: Slot | None) -> dict[str, Any] | None:
    return slot.model_dump(mode="json") if slot else None


def _without(said: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in said.items() if key != name}


def _left(until_s: float | None) -> str:
    return "" if until_s is None else f", {max(0.0, until_s) / 60:.0f} min left"


def _known(value: object) -> str:
    return "" if value is None else str(value)


def _incident(detail: Any) -> str:
    """What went wrong, in a line: the incident's own words, or its fields."""
    if isinstance(detail, dict):
        return "; ".join(f"{name}: {value}" for name, value in detail.items())
    return _known(detail)
