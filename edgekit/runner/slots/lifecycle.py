"""Life cycle of the A/B slots: stage, trial, commit, rollback. The served bundle is replaced whole or not at all.

A slot is empty, staged (whole and verified), trial (its self-test passed; being probed until its deadline), committed,
or failed (not to be served again). The link `current` names the served slot, which is never a trial.
Standard library only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import RunnerError
from ..files.integrity import digest_of_file, fault
from ..layout import MANIFEST, SLOTS, root_of
from ..machine.own_command import own_command
from ..machine.runtime_versions import version_of
from . import accelerator_choice, deadlines, lease
from .admission import admit, is_signed, refusals, trusted
from .repair import plan
from .state import (
    State,
    changed,
    committed,
    current_of,
    locked,
    locked_state,
    other,
    pending_slot,
    recorded,
    recovered,
    serve_slot,
    write,
)
from .trust import Trust

TRIAL_S = 7200.0
"""Seconds that a trial lasts unless it is committed: then the device drops it by itself."""


def status(root: Path) -> State:
    """Report both slots, whether their files are whole, the served one, history, trust and lease.

    A device that has lost its state or its trust lists that in `damage`; the slots are then as a repair would assume.
    """
    with locked(root):
        trust, state, current, damage = _read_with_damage(root)
        slots = {name: _slot_status(root, state, name) for name in SLOTS}
        believed = {**trust.shown(), "refused": refusals(root, state, current, trust)}
        rest = {"trust": believed, "lease": lease.shown(root), "damage": damage}
        return {"current": current, "slots": slots, "history": state["history"], **rest}


def release(root: Path, token: str) -> State:
    """Release the lease of `token`."""
    with locked(root):
        return {"changed": lease.release(root, token)}


def _read_with_damage(root: Path) -> tuple[Trust, State, str | None, list[State]]:
    """Read trust, state and the served slot as far as they can be read, and list the damage."""
    damage, trust = [], Trust()
    try:
        trust = Trust.of(root)
    except RunnerError as error:
        damage.append({"kind": error.kind, "why": str(error)})
    try:
        return trust, recovered(root), current_of(root), damage
    except RunnerError as error:
        if error.kind == "garbled":
            damage.append({"kind": error.kind, "why": str(error)})
    assumed = plan(root, trust)
    return trust, assumed.state, assumed.link, damage


def begin_trial(
    root: Path, digest: str, deadline_s: float = TRIAL_S, token: str | None = None, staged_now: bool = False
) -> State:
    """Begin the trial of the staged bundle, which has passed its self-test; one on trial already is not changed.

    deadline_s: seconds that the trial lasts. staged_now: this process has just verified and staged it, so its files
    are not read again: a commit does that, before anything is served. Raises RunnerError: state or busy if the bundle
    is not staged, and as `admit` if it may not be served any more.
    """
    with locked_state(root) as state, lease.under(root, token):
        current, staged = current_of(root), pending_slot(state)
        if staged is None and current and state["slots"][current]["digest"] == digest:
            return answer(root, current, state, changed=False)
        slot = _slot_of(root, state, staged, digest)
        if state["slots"][slot]["state"] == "trial":
            return answer(root, slot, state, changed=False)
        ask = trusted if staged_now else admit
        ask(root / slot, digest, Trust.of(root))
        # The Python that has run its self-test has its runtime: a server starts it for this bundle.
        entry = {"state": "trial", "deadline": deadlines.deadline(deadline_s), "python": list(own_command().python)}
        state = changed(recorded(state, slot, "trial"), slot, **entry)
        write(root, state)
        return answer(root, slot, state, changed=True)


def commit(root: Path, digest: str | None = None, token: str | None = None) -> State:
    """Serve the trial from now on, and raise the version floor to its own (anti-rollback).

    Where `digest` is served already, nothing is changed.

    Raises RunnerError: state if there is no trial, busy if the trial is not `digest` but somebody else's, and as
    `admit` if it may not be served any more: it stays a trial then.
    """
    with locked_state(root) as state, lease.under(root, token):
        current, trial = current_of(root), pending_slot(state)
        if trial is None and current and digest in (None, state["slots"][current]["digest"]):
            return answer(root, current, state, changed=False)
        slot = _slot_of(root, state, trial, digest)
        if state["slots"][slot]["state"] != "trial":
            raise RunnerError("state", f"'{root}' has no trial: what is staged has not passed its self-test")
        listing = admit(root / slot, state["slots"][slot]["digest"], Trust.of(root))
        serve_slot(root, slot)
        return answer(root, slot, committed(root, state, slot, listing.floor), changed=True)


def rollback(root: Path, digest: str | None = None, detail: Any = None, token: str | None = None) -> State:
    """Roll back: drop what is staged or on trial, else serve the slot that was committed before.

    digest: roll back only the bundle with that digest; if it was rolled back before, nothing is done and that is no
    error. detail: the incident, stored in the history. Raises RunnerError: state if there is nothing to go back to, and
    as `admit` if that may not be served (any more): what is served stays.
    """
    with locked_state(root) as state, lease.under(root, token):
        current, trial = current_of(root), pending_slot(state)
        failed = next((slot for slot in SLOTS if state["slots"][slot]["state"] == "failed"), None)
        if trial is None and digest and failed and state["slots"][failed]["digest"] == digest:
            return answer(root, failed, state, changed=False)
        if trial is None and (current is None or state["slots"][other(current)]["state"] != "committed"):
            raise RunnerError("state", f"'{root}' has no slot to go back to")
        slot = _slot_of(root, state, trial or current, digest)
        if trial is None:
            admit(root / other(slot), state["slots"][other(slot)]["digest"], Trust.of(root))
        state = changed(recorded(state, slot, "rolled back", detail), slot, state="failed", deadline=None)
        write(root, state)
        if trial is None:
            serve_slot(root, other(slot))
        return answer(root, slot, state, changed=True)


@contextlib.contextmanager
def slot_in_use(slot: Path) -> Iterator[None]:
    """Lock the slot's root while a model in it is used, so that a flash cannot replace it.

    Nothing is locked outside a device root.
    """
    root = root_of(slot)
    if not (root / "lock").exists():
        yield
        return
    with locked(root):
        yield


def _slot_status(root: Path, state: State, name: str) -> State:
    entry = state["slots"][name]
    shown = {key: entry[key] for key in ("state", "digest", "name", "version", "signers")}
    until_s = deadlines.left_s(entry["deadline"]) if entry["deadline"] else None
    rest = {"whole": is_whole(root, state, name), "until_s": until_s, "accelerator": _accelerator(entry["accelerator"])}
    return {**shown, "path": str(root / name), **rest}


def _accelerator(kept: State | None) -> State | None:
    """Choice of the accelerator, with the reason if it has expired; the runtime is looked for only if there is one."""
    if kept is None:
        return None
    distribution = kept["surroundings"].get("runtime", "").partition(" ")[0]
    version = version_of(distribution) if distribution else None
    here = accelerator_choice.surroundings(f"{distribution} {version}" if version else None)
    return accelerator_choice.shown(kept, here)


def is_whole(root: Path, state: State, slot: str) -> bool:
    """Tell whether the slot's files are, byte for byte, those of the bundle that was staged, with its signature."""
    entry = state["slots"][slot]
    if entry["state"] == "empty" or digest_of_file(root / slot / MANIFEST) != entry["digest"]:
        return False
    return is_signed(root / slot, entry["digest"], _trust_or_none(root)) and fault(root / slot) is None


def _trust_or_none(root: Path) -> Trust:
    """Read the trust; nobody is trusted if it cannot be read."""
    try:
        return Trust.read(root)
    except RunnerError:
        return Trust()


def _slot_of(root: Path, state: State, slot: str | None, digest: str | None) -> str:
    if slot is None:
        raise RunnerError("state", f"'{root}' has no trial")
    if digest not in (None, state["slots"][slot]["digest"]):
        raise RunnerError("busy", f"slot '{slot}' of '{root}' holds another bundle: another edgekit flashed it")
    return slot


def answer(root: Path, slot: str, state: State, changed: bool) -> State:
    """Answer of a verb about one slot: its path, state and digest, and the served slot."""
    entry = {name: state["slots"][slot][name] for name in ("state", "digest")}
    return {"slot": str(root / slot), "changed": changed, "current": current_of(root), **entry}
