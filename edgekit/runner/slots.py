"""Two slots and a link: what is served is replaced whole or not at all.

    ROOT/a, ROOT/b      a bundle unpacked each
    ROOT/current        a link to the committed slot; renaming it over the old one is the moment of a commit
    ROOT/state.json     what each slot holds, and the history of installs
    ROOT/lock           held while anything here is at work; the kernel drops the lock of a dead process

A slot is empty, trial (verified, not served), committed, or failed (not to be served again). Every verb first finishes
what a crash cut short: a trial that `current` names was being committed, a failed slot that it names was being left.
Standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import RunnerError
from .whole import fault, sync, sync_one

NAMES = ("a", "b")
PROBE = "probe"
HISTORY_LIMIT = 200
State = dict[str, Any]


@contextlib.contextmanager
def held(root: Path) -> Iterator[None]:
    """Alone at work in `root`. Raises RunnerError (busy) if another process is."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunnerError("busy", f"another edgekit is at work in '{root}'") from error
        yield


def status(root: Path) -> State:
    """The state of both slots, whether their files are whole, which one is served, and the history."""
    with held(root):
        state = _recovered(root)
        slots = {
            name: {**slot, "path": str(root / name), "whole": slot["state"] != "empty" and fault(root / name) is None}
            for name, slot in state["slots"].items()
        }
        return {"current": _current(root), "slots": slots, "history": state["history"]}


def stage(root: Path, staging: Path, digest: str) -> State:
    """Verify the bundle unpacked in `staging`, and move it into the slot that is not served, as a trial.

    What is in a slot already, whole and not failed, is not moved again; what is served stays as it is. Raises
    RunnerError (data) if a file is missing, damaged or not in the manifest.
    """
    with held(root):
        state = _recovered(root)
        current = _current(root)
        if current and _holds(root, state, current, digest):
            return _answer(root, current, state, changed=False)
        slot = _other(current) if current else "a"
        if not _holds(root, state, slot, digest):
            _check(staging)
            _write(root, _with(state, slot, "empty", None))
            _replace(staging, root / slot)
        elif state["slots"][slot]["state"] == "trial":
            return _answer(root, slot, state, changed=False)
        state = _with(_recorded(state, digest, "trial"), slot, "trial", digest)
        _write(root, state)
        _sweep(root)
        return _answer(root, slot, state, changed=True)


def commit(root: Path, digest: str | None = None) -> State:
    """Serve the trial. Where `digest` is served already, nothing is changed.

    Raises RunnerError: state if there is no trial, busy if the trial is not `digest` but somebody else's.
    """
    with held(root):
        state = _recovered(root)
        current, trial = _current(root), _in_state(state, "trial")
        if trial is None and current and digest in (None, state["slots"][current]["digest"]):
            return _answer(root, current, state, changed=False)
        slot = _expected(root, state, trial, digest)
        _point(root, slot)
        state = _recovered(root)
        return _answer(root, slot, state, changed=True)


def rollback(root: Path, digest: str | None = None) -> State:
    """Drop the trial; without one, go back to the slot that was committed before.

    With a digest: only if it is the one to leave, and nothing is changed if it was left already. Raises RunnerError
    (state) if there is nothing to go back to.
    """
    with held(root):
        state = _recovered(root)
        current, trial = _current(root), _in_state(state, "trial")
        left = _in_state(state, "failed")
        if trial is None and digest and left and state["slots"][left]["digest"] == digest:
            return _answer(root, left, state, changed=False)
        if trial is None and (current is None or state["slots"][_other(current)]["state"] != "committed"):
            raise RunnerError("state", f"'{root}' has no slot to go back to")
        slot = _expected(root, state, trial or current, digest)
        _write(root, _with(_recorded(state, state["slots"][slot]["digest"], "rolled back"), slot, "failed"))
        state = _recovered(root)
        return _answer(root, slot, state, changed=True)


@contextlib.contextmanager
def in_use(slot: Path) -> Iterator[None]:
    """Keeps the slot, or what lies beside the slots to be measured, from being replaced meanwhile.

    A folder that is neither needs no lock.
    """
    root = slot.parents[1] if slot.parent.name == PROBE else slot.parent
    if not (root / "lock").exists():
        yield
        return
    with held(root):
        yield


def _holds(root: Path, state: State, slot: str, digest: str) -> bool:
    """Whether the slot has that bundle, whole, and it has not failed."""
    found = state["slots"][slot]
    return found["digest"] == digest and found["state"] != "failed" and fault(root / slot) is None


def _check(staging: Path) -> None:
    problem = fault(staging)
    if problem:
        raise RunnerError("data", problem)
    sync(staging)


def _expected(root: Path, state: State, slot: str | None, digest: str | None) -> str:
    if slot is None:
        raise RunnerError("state", f"'{root}' has no trial")
    if digest not in (None, state["slots"][slot]["digest"]):
        raise RunnerError("busy", f"slot '{slot}' of '{root}' holds another bundle: another edgekit flashed it")
    return slot


def _recovered(root: Path) -> State:
    """The state, after finishing what a crash cut short."""
    state, current = _read(root), _current(root)
    if current is None:
        return state
    slot, other = state["slots"][current], state["slots"][_other(current)]
    if slot["state"] == "trial":
        state = _with(_recorded(state, slot["digest"], "committed"), current, "committed")
        _write(root, state)
    if slot["state"] == "failed" and other["state"] == "committed":
        _point(root, _other(current))
    return state


def _read(root: Path) -> State:
    try:
        state: State = json.loads((root / "state.json").read_text("utf-8"))
    except FileNotFoundError:
        empty = {"state": "empty", "digest": None}
        return {"schema": 1, "slots": dict.fromkeys(NAMES, empty), "history": []}
    except ValueError as error:
        raise RunnerError("state", f"'{root / 'state.json'}' is not JSON: {error}") from error
    return state


def _write(root: Path, state: State) -> None:
    partial = root / "state.json.partial"
    with partial.open("w", encoding="utf-8") as file:
        json.dump(state, file, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(root / "state.json")
    sync_one(root)


def _with(state: State, slot: str, name: str, *digest: str | None) -> State:
    """The state with that slot in state `name`, and with another digest if one is given."""
    kept = digest[0] if digest else state["slots"][slot]["digest"]
    return {**state, "slots": {**state["slots"], slot: {"state": name, "digest": kept}}}


def _recorded(state: State, digest: str | None, verdict: str) -> State:
    entry = {"digest": digest, "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "verdict": verdict}
    return {**state, "history": [*state["history"], entry][-HISTORY_LIMIT:]}


def _in_state(state: State, name: str) -> str | None:
    return next((slot for slot in NAMES if state["slots"][slot]["state"] == name), None)


def _current(root: Path) -> str | None:
    """The slot that is served: the link is the truth, whatever state.json says."""
    try:
        name = str((root / "current").readlink())
    except FileNotFoundError:
        return None
    if name not in NAMES:
        raise RunnerError("state", f"'{root / 'current'}' names '{name}', which is no slot")
    return name


def _other(slot: str) -> str:
    return "b" if slot == "a" else "a"


def _point(root: Path, slot: str) -> None:
    partial = root / "current.partial"
    partial.unlink(missing_ok=True)
    partial.symlink_to(slot)
    partial.replace(root / "current")
    sync_one(root)


def _replace(staging: Path, slot: Path) -> None:
    """Put the folder `staging` in the place of the slot that nobody serves."""
    if slot.exists():
        shutil.rmtree(slot)
    staging.rename(slot)
    sync_one(slot.parent)


def _sweep(root: Path) -> None:
    """Remove what hosts that died, or lost the race, left behind."""
    for name in ("staging", PROBE):
        shutil.rmtree(root / name, ignore_errors=True)


def _answer(root: Path, slot: str, state: State, changed: bool) -> State:
    return {"slot": str(root / slot), "changed": changed, "current": _current(root), **state["slots"][slot]}
