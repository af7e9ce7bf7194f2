"""What each slot holds and which is served, and how that survives a crash. Standard library only.

ROOT/a, ROOT/b      a bundle unpacked each
ROOT/current        a link to the committed slot; renaming it over the old one is the moment of a commit
ROOT/state.json     what each slot holds, and the history of installs
ROOT/lock           held while anything here is at work; the kernel drops the lock of a dead process
"""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import boot
from .durable import read_json, sync_one, write_json
from .errors import RunnerError
from .trust import Trust

NAMES = ("a", "b")
HISTORY_LIMIT = 200
EMPTY: dict[str, Any] = {"state": "empty", "digest": None, "version": None, "floor": 0, "signers": [], "deadline": None}
State = dict[str, Any]


@contextlib.contextmanager
def held(root: Path) -> Iterator[State]:
    """Alone at work in `root`, and the state there, after finishing what a crash cut short and ending a late trial.

    Raises RunnerError (busy) if another process is at work.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunnerError("busy", f"another edgekit is at work in '{root}'") from error
        yield recovered(root)


def recovered(root: Path) -> State:
    """The state, after finishing what a crash cut short, and after failing a trial whose time is over.

    A trial that `current` names was being committed, a failed slot that it names was being left.
    """
    state, current = _read(root), current_of(root)
    if current and state["slots"][current]["state"] == "trial":
        committed = state["slots"][current]
        Trust.of(root).raised(committed["floor"]).write(root)
        state = changed(recorded(state, current, "committed"), current, state="committed", deadline=None)
        write(root, state)
    states = {name: state["slots"][name]["state"] for name in NAMES}
    if current and states[current] == "failed" and states[other(current)] == "committed":
        point(root, other(current))
    return _ended(root, state)


def write(root: Path, state: State) -> None:
    write_json(root / "state.json", state)


def changed(state: State, slot: str, /, **fields: Any) -> State:
    """The state with other fields of that slot."""
    return {**state, "slots": {**state["slots"], slot: {**state["slots"][slot], **fields}}}


def recorded(state: State, slot: str, verdict: str, detail: Any = None) -> State:
    """The state with one more entry of history, about what is in that slot."""
    about = {name: state["slots"][slot][name] for name in ("digest", "version", "signers")}
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    entry = {**about, "when": when, "verdict": verdict, "detail": detail}
    return {**state, "history": [*state["history"], entry][-HISTORY_LIMIT:]}


def on_trial(state: State) -> str | None:
    """The slot that is staged or on trial; there is one at most."""
    return next((slot for slot in NAMES if state["slots"][slot]["state"] in ("staged", "trial")), None)


def current_of(root: Path) -> str | None:
    """The slot that is served: the link is the truth, whatever state.json says."""
    try:
        name = str((root / "current").readlink())
    except FileNotFoundError:
        return None
    if name not in NAMES:
        raise RunnerError("state", f"'{root / 'current'}' names '{name}', which is no slot")
    return name


def other(slot: str) -> str:
    return "b" if slot == "a" else "a"


def point(root: Path, slot: str) -> None:
    """Serve that slot from now on."""
    partial = root / "current.partial"
    partial.unlink(missing_ok=True)
    partial.symlink_to(slot)
    partial.replace(root / "current")
    sync_one(root)


def _ended(root: Path, state: State) -> State:
    slot = on_trial(state)
    deadline = state["slots"][slot]["deadline"] if slot else None
    if slot is None or deadline is None or boot.left_s(deadline) > 0:
        return state
    why = "deadline" if boot.of_this_boot(deadline) else "reboot"
    state = changed(recorded(state, slot, f"expired: {why}"), slot, state="failed", deadline=None)
    write(root, state)
    return state


def _read(root: Path) -> State:
    found = read_json(root / "state.json")
    if found is None:
        return {"schema": 1, "slots": dict.fromkeys(NAMES, EMPTY), "history": []}
    # Devices that an older edgekit flashed lack the newer fields.
    return {**found, "slots": {name: {**EMPTY, **found["slots"][name]} for name in NAMES}}
