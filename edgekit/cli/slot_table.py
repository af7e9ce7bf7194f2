"""A device's status as tables and remarks for a person: A/B slots, history, trust, damage."""

from __future__ import annotations

from typing import Any

from edgekit.runner.slots.accelerator_choice import energy_words

REFUSED_HINTS = {
    "served": "slot '{slot}' is served until another bundle is committed, and does not come back; {why}: "
    "edgekit flash BUNDLE --device {device}",
    "trial": "slot '{slot}' will not be committed; {why}: edgekit rollback --device {device} drops it",
    "behind": "slot '{slot}' is no way back; {why}: edgekit flash BUNDLE --device {device} replaces it",
}
SLOT_HEAD = ("slot", "state", "bundle", "digest", "signed by", "files", "runs on")
EVENT_HEAD = ("when", "bundle", "digest", "signed by", "verdict", "why")
SHORT = 12
"""Length of a digest's prefix, in characters, that tells bundles apart for a person."""


def slot_rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows of the table of both A/B slots, for a person."""
    return [
        (
            name + (" (served)" if name == report["current"] else ""),
            slot["state"] + _time_left(slot.get("until_s")),
            bundle_name(slot),
            short(slot["digest"]),
            " ".join(slot.get("signers") or ()),
            "" if slot["state"] == "empty" else "whole" if slot["whole"] else "DAMAGED",
            (slot.get("accelerator") or {}).get("kind", "") + _expired(slot.get("accelerator")),
        )
        for name, slot in report["slots"].items()
    ]


def event_rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows of the table of a device's history, for a person."""
    return [
        (
            event["when"],
            bundle_name(event),
            short(event["digest"]),
            " ".join(event.get("signers") or ()),
            event["verdict"],
            _incident(event.get("detail")),
        )
        for event in report["history"]
    ]


def remarks(device: str, report: dict[str, Any]) -> list[str]:
    """List what a person must know of a device: damage, trust, lease, and slots that it refuses to serve again."""
    lines = [] if report["current"] else ["nothing is served"]
    trust, lease = report.get("trust"), report.get("lease")
    if trust:
        keys = " ".join(key["id"] for key in trust["keys"]) or "no key yet"
        board = f", as a {trust['target']}" if trust.get("target") else ""
        lines.append(f"trusts {keys}; {trust['threshold']} must sign; version {trust['floor']} or later{board}")
        if trust["revoked"]:
            lines.append(f"revoked: {' '.join(trust['revoked'])}")
    if lease:
        lines.append(f"{lease['holder']} is flashing it, for {lease['left_s']:.0f} s at most")
    return [*damage_remarks(device, report), *lines, *_accelerator_remarks(report), *refused_remarks(device, trust)]


def damage_remarks(device: str, report: dict[str, Any]) -> list[str]:
    """List what a device has lost or serves damaged, each with the command that repairs it."""
    out = {"garbled": f"edgekit device repair {device}", "unpinned": f"edgekit device trust {device} --key NAME"}
    lines = [f"{damage['why']}: {out[damage['kind']]}" for damage in report.get("damage") or ()]
    served = report["slots"].get(report["current"]) if report["current"] else None
    if served and not served["whole"]:
        lines.append(f"what it serves is damaged: edgekit device repair {device}, or edgekit flash BUNDLE again")
    return lines


def refused_remarks(device: str, trust: dict[str, Any] | None) -> list[str]:
    """List the slots whose bundle the device does not trust (any more), each with the command that helps."""
    return [
        REFUSED_HINTS[refused["role"]].format(**refused, device=device)
        for refused in (trust or {}).get("refused") or ()
    ]


def bundle_name(about: dict[str, Any]) -> str:
    """Name and version of a bundle, `digits 3`; without the name where an older edgekit wrote the slot or event."""
    return " ".join(str(part) for part in (about.get("name"), about.get("version")) if part is not None)


def bundle_words(about: dict[str, Any] | None) -> str:
    """Bundle in a sentence, by name, version and the beginning of its digest: `digits 3 (4f3ad12c8899)`."""
    if about is None or about.get("digest") is None:
        return "nothing"
    name, digest = bundle_name(about), short(about["digest"])
    return f"{name} ({digest})" if name else digest


def short(digest: str | None) -> str:
    """Return the first characters of a digest; nothing for none."""
    return (digest or "")[:SHORT]


def _time_left(until_s: float | None) -> str:
    return "" if until_s is None else f", {max(0.0, until_s) / 60:.0f} min left"


def _expired(accelerator: Any) -> str:
    return ", expired" if accelerator and accelerator.get("expired") else ""


def _accelerator_remarks(report: dict[str, Any]) -> list[str]:
    """List what each slot runs on, if that was chosen, and why; an expired choice is measured at the next probe."""
    chosen = [(name, slot["accelerator"]) for name, slot in report["slots"].items() if slot.get("accelerator")]
    lines = [
        f"slot '{name}' runs on {each['kind']}: {each['why']}{_energy(each)}"
        for name, each in chosen
        if not each["expired"]
    ]
    return lines + [
        f"slot '{name}' runs on cpu until the next probe measures again: {each['expired']}"
        for name, each in chosen
        if each["expired"]
    ]


def _energy(accelerator: dict[str, Any]) -> str:
    words = energy_words(accelerator["measured"])
    return f"; {words}" if words else ""


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _incident(detail: Any) -> str:
    """Describe in a line what went wrong: the incident's own words, or its fields."""
    if isinstance(detail, dict):
        return "; ".join(f"{name}: {value}" for name, value in detail.items())
    return _text(detail)
