"""State of the A/B slots and its recovery after a crash: the slots, the link to the served one, the history.

ROOT/a, ROOT/b      the A/B slots: an unpacked bundle each
ROOT/current        a link to the committed slot; renaming it over the old one is the moment of a commit
ROOT/state.json     what each slot holds, and the history of installs
ROOT/trust.json     the keys that the device trusts; ROOT/lease.json the host that flashes it
ROOT/lock           held while anything here is at work; the kernel drops the lock of a dead process

Standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import RunnerError
from ..files.durable import read_json, remove, sync_one, write_json
from ..layout import SLOTS
from . import deadlines, lease
from .admission import admit
from .state_file import FRESH, parse
from .trust import Trust

FILE = "state.json"
HISTORY_LIMIT = 200
State = dict[str, Any]


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the lock of `root` during the block.

    Raises RunnerError if another process has it: leased if a lease says who, else busy.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lease.check(root, None)
            raise RunnerError("busy", f"another edgekit is at work in '{root}'") from error
        yield


@contextlib.contextmanager
def locked_state(root: Path) -> Iterator[State]:
    """Hold the lock of `root` during the block; yields the recovered state.

    Raises RunnerError: busy or leased if another process is at work, garbled if the state is damaged or lost.
    """
    with locked(root):
        yield recovered(root)


def recovered(root: Path) -> State:
    """Recover the state: finish the commit or rollback that a crash cut short, and fail a trial whose time is over.

    Where `current` names a slot on trial, a crash stopped a commit; where it names a failed slot, a crash stopped a
    rollback. Either is finished, if what is then served may be served. Raises RunnerError (garbled) for a state and a
    link that no crash leaves.
    """
    state, current = read(root), current_of(root)
    states = {name: state["slots"][name]["state"] for name in SLOTS}
    if current is None:
        if "committed" in states.values():
            raise RunnerError("garbled", f"the link '{root / 'current'}' to what is served is lost")
        return _expire_trial(root, state)
    behind = other(current)
    if states[current] == "trial":
        return _expire_trial(root, _finish_commit(root, state, current))
    if states[current] == "failed" and states[behind] == "committed":
        return _expire_trial(root, _finish_rollback(root, state, current))
    if states[current] != "committed":
        raise RunnerError("garbled", f"'{root / 'current'}' names slot '{current}', which is {states[current]}")
    return _expire_trial(root, state)


def committed(root: Path, state: State, slot: str, floor: int) -> State:
    """Finish a commit once `current` names that slot: raise the version floor, then write the state, and return it.

    floor: that of the slot's manifest.
    """
    Trust.of(root).raised(floor).write(root)
    state = changed(recorded(state, slot, "committed"), slot, state="committed", deadline=None)
    write(root, state)
    return state


def write(root: Path, state: State) -> None:
    write_json(root / FILE, state)


def changed(state: State, slot: str, /, **fields: Any) -> State:
    """Copy of the state with other fields of that slot."""
    return {**state, "slots": {**state["slots"], slot: {**state["slots"][slot], **fields}}}


def recorded(state: State, slot: str, verdict: str, detail: Any = None) -> State:
    """Copy of the state with one more entry of history, about the bundle in that slot."""
    about = {name: state["slots"][slot][name] for name in ("digest", "name", "version", "signers")}
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    entry = {**about, "when": when, "verdict": verdict, "detail": detail}
    return {**state, "history": [*state["history"], entry][-HISTORY_LIMIT:]}


def pending_slot(state: State) -> str | None:
    """Name of the slot that is staged or on trial; there is one at most."""
    return next((slot for slot in SLOTS if state["slots"][slot]["state"] in ("staged", "trial")), None)


def current_of(root: Path) -> str | None:
    """Name of the served slot, by the link, whatever state.json says. Raises RunnerError (garbled)."""
    try:
        name = str((root / "current").readlink())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunnerError("garbled", f"'{root / 'current'}' is no link: {error.strerror}") from error
    if name not in SLOTS:
        raise RunnerError("garbled", f"'{root / 'current'}' names '{name}', which is no slot")
    return name


def other(slot: str) -> str:
    return "b" if slot == "a" else "a"


def serve_slot(root: Path, slot: str) -> None:
    """Point `current` at that slot, in one step: it is served from now on."""
    link, partial = root / "current", root / "current.partial"
    remove(partial)
    partial.symlink_to(slot)
    if link.is_dir() and not link.is_symlink():
        remove(link)
    partial.replace(link)
    sync_one(root)


def _finish_commit(root: Path, state: State, current: str) -> State:
    """Finish a commit that was cut short, unless what it serves may not be served and the slot before may."""
    (floor, why), behind = _floor_and_refusal(root, state, current), other(current)
    before = state["slots"][behind]["state"] == "committed" and _floor_and_refusal(root, state, behind)[1] is None
    if why is None or not before:
        return committed(root, state, current, floor)
    state = recorded(state, current, "rolled back", {"refused": why})
    state = changed(state, current, state="failed", deadline=None)
    write(root, state)
    serve_slot(root, behind)
    return state


def _finish_rollback(root: Path, state: State, current: str) -> State:
    """Finish a rollback that was cut short, unless the slot to go back to may not be served: then what is served
    stays."""
    _, why = _floor_and_refusal(root, state, other(current))
    if why is None:
        serve_slot(root, other(current))
        return state
    state = changed(recorded(state, current, "committed", {"rollback refused": why}), current, state="committed")
    write(root, state)
    return state


def _floor_and_refusal(root: Path, state: State, slot: str) -> tuple[int, str | None]:
    """Version floor that the bundle in that slot sets, and the reason why it may not be served, or None.

    Raises RunnerError (unpinned) where nobody is trusted.
    """
    trust = Trust.of(root)
    try:
        return admit(root / slot, state["slots"][slot]["digest"], trust).floor, None
    except RunnerError as error:
        return 0, str(error)


def _expire_trial(root: Path, state: State) -> State:
    slot = pending_slot(state)
    deadline = state["slots"][slot]["deadline"] if slot else None
    if slot is None or deadline is None or deadlines.left_s(deadline) > 0:
        return state
    why = "deadline" if deadlines.of_this_boot(deadline) else "reboot"
    state = changed(recorded(state, slot, f"expired: {why}"), slot, state="failed", deadline=None)
    write(root, state)
    return state


def read(root: Path) -> State:
    """Read state.json. Raises RunnerError (garbled) if it is damaged, or lost while slots are there."""
    document = read_json(root / FILE, "garbled")
    if document is None:
        present = [name for name in (*SLOTS, "current") if os.path.lexists(root / name)]
        if present:
            raise RunnerError("garbled", f"'{root / FILE}' is lost, and '{present[0]}' beside it is not")
        return FRESH
    try:
        return parse(document)
    except (KeyError, TypeError, ValueError) as error:
        raise RunnerError("garbled", f"'{root / FILE}' is not what edgekit writes there: {error}") from error
