"""`status` and `history`: what a device has in its slots, and what happened to them."""

from __future__ import annotations

from typing import Any

import typer

from edgekit.cli import options
from edgekit.cli.output import note, print_json, print_table, progress
from edgekit.devices.device import connect
from edgekit.devices.flash import status

TO_TYPE = {
    "served": "slot '{slot}' is served until another bundle is committed, and does not come back; {why}: "
    "edgekit flash BUNDLE --device {device}",
    "trial": "slot '{slot}' will not be committed; {why}: edgekit rollback --device {device} drops it",
    "behind": "slot '{slot}' is no way back; {why}: edgekit flash BUNDLE --device {device} replaces it",
}
SLOT_HEAD = ("slot", "state", "bundle", "version", "signed by", "files")
SHORT = 12
"""So much of a digest tells bundles apart for a person."""


def register(app: typer.Typer) -> None:
    app.command("status")(status_command)
    app.command("history")(history_command)


def status_command(device: options.Device, json: options.Json = False) -> None:
    """What a device serves, what is in both slots and whether it is whole, and whom it trusts."""
    said = _asked(device)
    if json:
        print_json({"schema": 1, "device": device, **_without(said, "history")})
        return
    print_table(SLOT_HEAD, slot_rows(said))
    for line in remarks(device, said):
        note(line)


def history_command(device: options.Device, json: options.Json = False) -> None:
    """Every bundle that was flashed to a device, and what came of it, the latest last."""
    said = _asked(device)
    if json:
        print_json({"schema": 1, "device": device, "history": said["history"]})
        return
    print_table(("when", "bundle", "version", "signed by", "verdict", "why"), event_rows(said))


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


def remarks(device: str, said: dict[str, Any]) -> list[str]:
    """What a person must know of it: whom it trusts, what it holds all the same, what it has lost, who is at work."""
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
    return [*damage_remarks(device, said), *lines, *refused_remarks(device, trust)]


def damage_remarks(device: str, said: dict[str, Any]) -> list[str]:
    """What it has lost, whether what it serves is damaged, and what to type."""
    out = {"garbled": f"edgekit device repair {device}", "unpinned": f"edgekit device trust {device} --key NAME"}
    lines = [f"{damage['why']}: {out[damage['kind']]}" for damage in said.get("damage") or ()]
    served = said["slots"].get(said["current"]) if said["current"] else None
    if served and not served["whole"]:
        lines.append(f"what it serves is damaged: edgekit device repair {device}, or edgekit flash BUNDLE again")
    return lines


def refused_remarks(device: str, trust: dict[str, Any] | None) -> list[str]:
    """What its slots hold and it does not trust (any more), and what to type."""
    return [TO_TYPE[refused["role"]].format(**refused, device=device) for refused in (trust or {}).get("refused") or ()]


def short(digest: str | None) -> str:
    return (digest or "")[:SHORT]


def _asked(device: str) -> dict[str, Any]:
    with progress(f"ask {device}"), connect(device) as way:
        return status(way).model_dump(mode="json")


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
