"""Two slots and a link: what is served is replaced whole or not at all.

A slot is empty, staged (whole and verified), trial (its self-test passed; being probed until its deadline), committed,
or failed (not to be served again). What is served is never a trial. Standard library only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import RunnerError
from ..files.integrity import digest_of_file, fault
from ..layout import MANIFEST, SLOTS, root_of
from . import boot, lease
from .admission import admit, is_signed, refusals, trusted
from .repair import plan
from .state import (
    State,
    changed,
    committed,
    current_of,
    held,
    locked,
    on_trial,
    other,
    point,
    recorded,
    recovered,
    write,
)
from .trust import Trust

TRIAL_S = 7200.0


def status(root: Path) -> State:
    """Both slots, whether their files are whole, which one is served, the history, whom it trusts, who flashes.

    A device that has lost its state or its trust says so in `damage`, and beside it what a repair would assume.
    """
    with locked(root):
        trust, state, current, damage = _as_known(root)
        slots = {name: _shown(root, state, name) for name in SLOTS}
        believed = {**trust.shown(), "refused": refusals(root, state, current, trust)}
        rest = {"trust": believed, "lease": lease.shown(root), "damage": damage}
        return {"current": current, "slots": slots, "history": state["history"], **rest}


def release(root: Path, token: str) -> State:
    with locked(root):
        return {"changed": lease.release(root, token)}


def _as_known(root: Path) -> tuple[Trust, State, str | None, list[State]]:
    """Trust, state and the slot that is served, as far as they can be read, and what cannot be."""
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
    """What is staged has passed its self-test. Its time begins; if it is on trial already, nothing is changed.

    What this process has just verified and staged is not read again: a commit does, before anything is served.
    Raises RunnerError: state or busy if it is not staged, and as `admit` if it may not be served any more.
    """
    with held(root) as state, lease.under(root, token):
        current, staged = current_of(root), on_trial(state)
        if staged is None and current and state["slots"][current]["digest"] == digest:
            return answer(root, current, state, changed=False)
        slot = _expected(root, state, staged, digest)
        if state["slots"][slot]["state"] == "trial":
            return answer(root, slot, state, changed=False)
        ask = trusted if staged_now else admit
        ask(root / slot, digest, Trust.of(root))
        state = changed(recorded(state, slot, "trial"), slot, state="trial", deadline=boot.deadline(deadline_s))
        write(root, state)
        return answer(root, slot, state, changed=True)


def commit(root: Path, digest: str | None = None, token: str | None = None) -> State:
    """Serve the trial, and never again what is below its floor. Where `digest` is served, nothing is changed.

    Raises RunnerError: state if there is no trial, busy if the trial is not `digest` but somebody else's, and as
    `admit` if it may not be served any more: it stays a trial then.
    """
    with held(root) as state, lease.under(root, token):
        current, trial = current_of(root), on_trial(state)
        if trial is None and current and digest in (None, state["slots"][current]["digest"]):
            return answer(root, current, state, changed=False)
        slot = _expected(root, state, trial, digest)
        if state["slots"][slot]["state"] != "trial":
            raise RunnerError("state", f"'{root}' has no trial: what is staged has not passed its self-test")
        listing = admit(root / slot, state["slots"][slot]["digest"], Trust.of(root))
        point(root, slot)
        return answer(root, slot, committed(root, state, slot, listing.floor), changed=True)


def rollback(root: Path, digest: str | None = None, detail: Any = None, token: str | None = None) -> State:
    """Drop what is staged or on trial; without that, go back to the slot that was committed before.

    With a digest: only if it is the one to leave, and nothing is changed if it was left already. `detail`, the
    incident, is kept in the history. Raises RunnerError: state if there is nothing to go back to, and as `admit` if
    that may not be served (any more): what is served stays.
    """
    with held(root) as state, lease.under(root, token):
        current, trial = current_of(root), on_trial(state)
        left = next((slot for slot in SLOTS if state["slots"][slot]["state"] == "failed"), None)
        if trial is None and digest and left and state["slots"][left]["digest"] == digest:
            return answer(root, left, state, changed=False)
        if trial is None and (current is None or state["slots"][other(current)]["state"] != "committed"):
            raise RunnerError("state", f"'{root}' has no slot to go back to")
        slot = _expected(root, state, trial or current, digest)
        if trial is None:
            admit(root / other(slot), state["slots"][other(slot)]["digest"], Trust.of(root))
        state = changed(recorded(state, slot, "rolled back", detail), slot, state="failed", deadline=None)
        write(root, state)
        if trial is None:
            point(root, other(slot))
        return answer(root, slot, state, changed=True)


@contextlib.contextmanager
def slot_in_use(slot: Path) -> Iterator[None]:
    """Keeps the slot, or what lies beside the slots to be measured, from being replaced meanwhile.

    A folder that is neither needs no lock.
    """
    root = root_of(slot)
    if not (root / "lock").exists():
        yield
        return
    with locked(root):
        yield


def _shown(root: Path, state: State, name: str) -> State:
    entry = state["slots"][name]
    shown = {key: entry[key] for key in ("state", "digest", "version", "signers")}
    until_s = boot.left_s(entry["deadline"]) if entry["deadline"] else None
    return {**shown, "path": str(root / name), "whole": is_whole(root, state, name), "until_s": until_s}


def is_whole(root: Path, state: State, slot: str) -> bool:
    """Whether the files there are, byte for byte, those of the bundle that was staged, and its signature is there."""
    entry = state["slots"][slot]
    if entry["state"] == "empty" or digest_of_file(root / slot / MANIFEST) != entry["digest"]:
        return False
    return is_signed(root / slot, entry["digest"], _readable(root)) and fault(root / slot) is None


def _readable(root: Path) -> Trust:
    """Whom it trusts, as far as that can be read."""
    try:
        return Trust.read(root)
    except RunnerError:
        return Trust()


def _expected(root: Path, state: State, slot: str | None, digest: str | None) -> str:
    if slot is None:
        raise RunnerError("state", f"'{root}' has no trial")
    if digest not in (None, state["slots"][slot]["digest"]):
        raise RunnerError("busy", f"slot '{slot}' of '{root}' holds another bundle: another edgekit flashed it")
    return slot


def answer(root: Path, slot: str, state: State, changed: bool) -> State:
    """What became of that slot."""
    entry = {name: state["slots"][slot][name] for name in ("state", "digest")}
    return {"slot": str(root / slot), "changed": changed, "current": current_of(root), **entry}
