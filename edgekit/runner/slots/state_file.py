"""Parser of `state.json`, which checks every field: anything may have written it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..layout import SLOTS
from .accelerator_choice import parse_choice

STATES = ("empty", "staged", "trial", "committed", "failed")
EMPTY: dict[str, Any] = {
    "state": "empty",
    "digest": None,
    "name": None,
    "version": None,
    "floor": 0,
    "signers": [],
    "deadline": None,
    "accelerator": None,
    "python": None,
}
VERDICTS = ("staged", "trial", "committed", "rolled back", "expired: deadline", "expired: reboot", "repaired")
EVENT = ("digest", "name", "when", "verdict", "version", "signers", "detail")
FRESH: dict[str, Any] = {"schema": 1, "slots": dict.fromkeys(SLOTS, EMPTY), "history": []}
_NONE = type(None)
_KINDS: Mapping[str, tuple[type, ...]] = {
    "digest": (str, _NONE),
    "name": (str, _NONE),
    "version": (int, _NONE),
    "floor": (int,),
    "signers": (list,),
    "history": (list,),
    "when": (str,),
    "verdict": (str,),
    "detail": (dict, _NONE),
}
LATEST_S = 1e12
"""Largest deadline that is believed, in seconds since boot: some 30,000 years."""


def parse(document: Mapping[str, Any]) -> dict[str, Any]:
    """Parse a state. Fields that an older edgekit did not write get their defaults.

    Raises KeyError, TypeError or ValueError for anything that edgekit does not write.
    """
    history = [_event(entry) for entry in _checked(document, "history")]
    return {"schema": 1, "slots": {name: _slot(document["slots"][name]) for name in SLOTS}, "history": history}


def events(document: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Parse the entries of the history that can be read in a damaged document."""
    readable = []
    entries: Any = (document or {}).get("history")
    for entry in list(entries) if isinstance(entries, list) else []:
        try:
            readable.append(_event(entry))
        except (KeyError, TypeError, ValueError):
            continue
    return readable


def _slot(written: Any) -> dict[str, Any]:
    if not isinstance(written, dict):
        raise TypeError("a slot is no object")
    if written.get("state", "empty") == "empty":
        return EMPTY
    slot = {name: written.get(name, EMPTY[name]) for name in EMPTY}
    for name in ("digest", "name", "version", "floor", "signers"):
        _checked(slot, name)
    if slot["state"] not in STATES:
        raise ValueError(f"a slot is never '{slot['state']}'")
    if not re.fullmatch("[0-9a-f]{64}", slot["digest"] or ""):
        raise ValueError(f"'{slot['digest']}' is no SHA-256")
    deadline = slot["deadline"]
    if deadline is not None and not is_deadline(deadline):
        raise ValueError("'deadline' is none")
    python = slot["python"]
    if python is not None and not (isinstance(python, list) and python and all(type(word) is str for word in python)):
        raise ValueError("'python' is no command line")
    return {**slot, "accelerator": parse_choice(slot["accelerator"])}


def is_deadline(value: Any) -> bool:
    """Tell whether a value has the form that `deadlines.deadline` makes."""
    if not isinstance(value, dict) or not isinstance(value.get("boot"), str):
        return False
    until = value.get("until")
    return isinstance(until, (int, float)) and not isinstance(until, bool) and abs(until) < LATEST_S


def _event(written: Any) -> dict[str, Any]:
    if not isinstance(written, dict):
        raise TypeError("an entry of 'history' is no object")
    event = {"name": None, "version": None, "signers": [], "detail": None, **written}
    if event["verdict"] not in VERDICTS:
        raise ValueError(f"no verdict is '{event['verdict']}'")
    return {name: _checked(event, name) for name in EVENT}


def _checked(written: Mapping[str, Any], name: str) -> Any:
    value = written[name]
    if not isinstance(value, _KINDS[name]) or isinstance(value, bool):
        raise TypeError(f"'{name}' is {type(value).__name__}")
    if name == "signers" and not all(isinstance(signer, str) for signer in written[name]):
        raise TypeError("'signers' are no names")
    return value
