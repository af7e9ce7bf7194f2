"""Repair: rebuild a state that was damaged or lost from the slots that verify, and report every assumption.

Standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import RunnerError
from ..files.durable import read_json, remove
from ..files.integrity import digest_of_file, fault
from ..layout import MANIFEST, SLOTS
from . import lease
from .admission import admit
from .state import FILE, State, changed, current_of, locked, read, recorded, recovered, serve_slot, write
from .state_file import EMPTY, FRESH, events
from .trust import Trust
from .verify import SignedListing

SERVED_BEFORE = ("committed", "repaired")
"""Verdicts in the history after which a bundle was served."""


class RepairPlan(NamedTuple):
    """State and link that a repair would write."""

    state: State
    link: str | None
    """Name of the slot that `current` points to now."""
    served: str | None
    """Name of the slot that it should point to."""
    assumed: tuple[str, ...]
    """Assumptions, a sentence each."""


class _Content(NamedTuple):
    """Content of a slot: `listing` if it may be served, else `problem`; `damaged` if its files are not whole."""

    name: str
    digest: str | None
    recorded: bool
    """True if `digest` is from the state, False if it is from the slot's own manifest."""
    listing: SignedListing | None
    problem: str | None
    damaged: bool


def repair(root: Path, token: str | None = None) -> State:
    """Make state, link and slots agree again; where they do, nothing is changed.

    What is served stays if its files are whole, whoever signed it. Raises RunnerError: leased or busy if another
    edgekit is at work, unpinned if nobody is trusted, so that no signature can be verified.
    """
    with locked(root), lease.under(root, token):
        trust = Trust.of(root)
        state = _consistent_state(root)
        assumed = plan(root, trust)
        if state == assumed.state and assumed.link == assumed.served:
            return {"changed": False, "current": assumed.served, "assumed": []}
        _apply(root, trust, assumed)
        return {"changed": True, "current": assumed.served, "assumed": list(assumed.assumed)}


def plan(root: Path, trust: Trust) -> RepairPlan:
    """Plan a repair, without changing anything."""
    known, link = _read_state(root), _linked_slot(root)
    state = known or {**FRESH, "history": _read_history(root)}
    slots = {name: _inspect(root / name, known, name == link, trust) for name in SLOTS}
    served = _slot_to_serve(root, slots, known, link)
    assumed = [] if known else ["what the slots hold was not known any more: each was judged by its own files"]
    if served != link or (served is None and os.path.lexists(root / "current")):
        assumed.append(_remark_on_served(slots, served, link, known is not None))
    for slot in slots.values():
        before = state["slots"][slot.name]
        entry, remark = _repaired_entry(slot, before, slot.name == served, served is None)
        state = changed(state, slot.name, **entry)
        # What failed before, too, is no news.
        assumed += [remark] if remark and entry["state"] != before["state"] else []
    return RepairPlan(state, link, served, tuple(assumed))


def _apply(root: Path, trust: Trust, assumed: RepairPlan) -> None:
    """Write the state first, then move the link: the state never says less than the link."""
    state, served = assumed.state, assumed.served
    if served:
        trust.raised(state["slots"][served]["floor"]).write(root)
        state = recorded(state, served, "repaired", {"assumed": list(assumed.assumed)})
    write(root, state)
    if served and served != assumed.link:
        serve_slot(root, served)
    if served is None:
        remove(root / "current")


def _consistent_state(root: Path) -> State | None:
    """Read the state; None if it is damaged or contradicts the link."""
    try:
        return recovered(root)
    except RunnerError as error:
        if error.kind != "garbled":
            raise
        return None


def _read_state(root: Path) -> State | None:
    try:
        return read(root)
    except RunnerError:
        return None


def _read_history(root: Path) -> list[dict[str, Any]]:
    try:
        return events(read_json(root / FILE, "garbled"))
    except RunnerError:
        return []


def _linked_slot(root: Path) -> str | None:
    """Name of the slot that `current` points to; None if there is no such slot."""
    try:
        name = current_of(root)
    except RunnerError:
        return None
    return name if name and (root / name).is_dir() else None


def _inspect(slot: Path, known: State | None, linked: bool, trust: Trust) -> _Content:
    entry = known["slots"][slot.name] if known else EMPTY
    recorded = known is not None and not (linked and entry["digest"] is None)
    digest = entry["digest"] if recorded else digest_of_file(slot / MANIFEST)
    if digest is None:
        return _Content(slot.name, None, recorded, None, f"slot '{slot.name}' has no manifest", damaged=slot.exists())
    try:
        return _Content(slot.name, digest, recorded, admit(slot, digest, trust), None, damaged=False)
    except RunnerError as error:
        problem = fault(slot)
        return _Content(
            slot.name, digest, recorded, None, problem or str(error), error.kind == "damaged" or bool(problem)
        )


def _slot_to_serve(root: Path, slots: dict[str, _Content], known: State | None, link: str | None) -> str | None:
    """Choose the slot to serve: that of the link if its files are whole, else one that may be served.

    With a known state, only a slot that was committed is chosen, of two the one committed last. Without, the one
    written first: a trial is written after what is served. If none may be served, the link stays as it is.
    """
    best = link if link and slots[link].digest else None
    if link and slots[link].digest and not slots[link].damaged:
        return link
    good = [name for name in SLOTS if slots[name].listing]
    if known:
        good = [name for name in good if known["slots"][name]["state"] == "committed"]
        last = [event["digest"] for event in known["history"] if event["verdict"] in SERVED_BEFORE]
        return max(good, key=lambda name: _last_index(last, slots[name].digest), default=best)
    return min(good, key=lambda name: (root / name / MANIFEST).stat().st_mtime, default=best)


def _last_index(digests: Iterable[str | None], digest: str | None) -> int:
    return max((k for k, one in enumerate(digests) if one == digest), default=-1)


def _remark_on_served(slots: dict[str, _Content], served: str | None, link: str | None, known: bool) -> str:
    before = f"slot '{link}', which was served," if link else "what was served"
    if served is None:
        return f"{before} is lost, and no slot holds anything else that may be served: nothing is"
    why = "is damaged" if link and slots[link].damaged else "was not known any more"
    unsure = "" if known else "; whether it was ever committed is not known"
    return f"{before} {why}: slot '{served}' is served, whole and signed by who is trusted here{unsure}"


def _repaired_entry(slot: _Content, before: State, served: bool, nothing: bool) -> tuple[State, str | None]:
    """Entry of a slot in the repaired state, and a remark for people, or None.

    served: the slot is to be served. nothing: no slot is.
    """
    if slot.digest is None:
        return EMPTY, slot.problem
    entry = {**(before if slot.recorded else EMPTY), **_facts(slot)}
    if served:
        worst = f"slot '{slot.name}' is served still, and nothing better is there: {slot.problem}"
        return {**entry, "state": "committed", "deadline": None}, worst if slot.problem else None
    if slot.damaged or (slot.problem and not slot.recorded) or (nothing and entry["state"] == "committed"):
        return {**entry, "state": "failed", "deadline": None}, f"slot '{slot.name}' is not served again: {slot.problem}"
    if slot.recorded:
        return entry, None
    unsure = f"slot '{slot.name}' is whole; whether it was ever committed is not known, so that it is no way back"
    return {**entry, "state": "staged"}, unsure


def _facts(slot: _Content) -> State:
    listing = slot.listing
    if listing is None:
        return {"digest": slot.digest}
    entry = {"digest": slot.digest, "name": listing.name, "version": listing.version, "floor": listing.floor}
    return entry if slot.recorded else {**entry, "signers": list(listing.signer_ids)}
