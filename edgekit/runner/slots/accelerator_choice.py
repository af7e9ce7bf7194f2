"""Accelerator that a slot's model runs on: the choice, what it was made of, and when it is no longer valid.

It is a field of the slot in `state.json`, so a slot that is filled anew has none. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..machine.driver_files import driver_digest, system_version

CPU = "cpu"
LATENCY, ENERGY = "latency", "energy"
"""Figures of an inference by which an accelerator may be preferred."""
NAMES = {"system": "the operating system", "drivers": "a driver", "runtime": "the runtime"}
"""Names of the things that a choice depends on, beside the bundle."""
MAX_MEASURED = 8
"""Largest count of measurements in a choice: the state is a small file."""


def surroundings(runtime: str | None) -> dict[str, str]:
    """Read the facts that a choice depends on, beside the bundle: another value of any makes it invalid.

    runtime: its name and version; None if this Python has none, which says nothing of the one that was used.
    """
    here = {"system": system_version(), "drivers": driver_digest()}
    return {**here, "runtime": runtime} if runtime else here


def choice(
    kind: str,
    why: str,
    told: bool,
    options: Sequence[str],
    here: Mapping[str, str],
    measured: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Choice as a slot keeps it.

    kind: kind of the accelerator, or `cpu`. why: the reason, a sentence. told: True if a person named it. options: of
    the accelerator, `NAME=VALUE`. here: `surroundings`. measured: one document for each kind that was tried.
    """
    return {
        "kind": kind,
        "why": why,
        "told": told,
        "options": list(options),
        "surroundings": dict(here),
        "measured": [dict(each) for each in measured][:MAX_MEASURED],
    }


def energy_words(measured: Sequence[Mapping[str, Any]]) -> str | None:
    """Energy of one inference on each kind, and the method, in words; None where no sensor told it.

    measured: documents with `kind` and, if it is known, `energy`: `joules` and `method`.
    """
    told = [(each["kind"], each["energy"]) for each in measured if each.get("energy")]
    if not told:
        return None
    figures = ", ".join(f"{kind} {millijoules(energy)}" for kind, energy in told)
    return f"{figures} an inference ({told[0][1]['method']})"


def millijoules(energy: Mapping[str, Any]) -> str:
    """Joules of an inference, in mJ."""
    return f"{1e3 * energy['joules']:.3g} mJ"


def changes(kept: Mapping[str, Any], here: Mapping[str, str]) -> list[str]:
    """Names of what has changed since the choice was made, in words; empty while it is valid."""
    return [NAMES[name] for name in here if kept["surroundings"].get(name) != here[name]]


def shown(kept: Mapping[str, Any] | None, here: Mapping[str, str]) -> dict[str, Any] | None:
    """Choice as a host is told it: with `expired`, the reason why it is measured again at the next probe, or None."""
    if kept is None:
        return None
    changed = changes(kept, here)
    expired = f"{' and '.join(changed)} changed since it was chosen" if changed else None
    return {**kept, "expired": expired}


def parse_choice(written: Any) -> dict[str, Any] | None:
    """Parse the field of a slot. Raises KeyError, TypeError or ValueError for anything that edgekit does not write."""
    if written is None:
        return None
    kinds = {"kind": str, "why": str, "told": bool, "options": list, "surroundings": dict, "measured": list}
    for name, kind in kinds.items():
        if not isinstance(written[name], kind):
            raise TypeError(f"'{name}' of an accelerator is {type(written[name]).__name__}")
    texts = (*written["options"], *written["surroundings"].values())
    if not all(isinstance(text, str) for text in texts) or not all(
        isinstance(each, dict) for each in written["measured"]
    ):
        raise TypeError("an accelerator's options, surroundings and measurements are no texts and objects")
    return {name: written[name] for name in kinds}
