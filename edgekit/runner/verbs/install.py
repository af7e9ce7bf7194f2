"""Verb `install`: a whole flash in one process: verify, stage, self-test, trial, and commit if requested.

Every start of Python on a device costs more than what it does there. Each step verifies for itself and is on the disk
before the next begins, as if each were a process: a power cut between two leaves the state of the first. As a step
begins, the audit event `edgekit.step` names it.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import RunnerError
from ..failure import failure
from ..slots import lease, lifecycle, stage
from ..slots.begin import ManifestAndSignature, begin
from ..slots.staging_folder import archive_of, staging_of
from ..slots.state import State, changed, locked_state, pending_slot, recorded, write

STEP = "edgekit.step"


class InstallRequest(NamedTuple):
    """A bundle that a host has sent, and the steps of its flash."""

    root: Path
    digest: str
    """SHA-256 of its manifest."""
    token: str
    """Token of the lease."""
    who: str = "somebody"
    brought: ManifestAndSignature = None
    """Bytes of manifest and signature; None if they lie in `ROOT/staging/DIGEST`."""
    offered: tuple[bytes, ...] = ()
    """Public keys of its signers, for a device that has no pinned keys yet (TOFU)."""
    stand_in: bool = False
    lease_s: float = lease.TTL_S
    trial_s: float = lifecycle.TRIAL_S
    engine_s: float | None = None
    """Time limit of building the engine, where the bundle plans one."""
    commit: bool = False


def install(request: InstallRequest) -> State:
    """Stage the bundle, test it in its slot, and begin its trial, or serve it if the request says `commit`.

    Files that no slot has are expected in `ROOT/staging/DIGEST.tar`. Answers as `stage` does, and: `missing`, the files
    that must still be sent, with the lease held meanwhile; `engine` and `selftest`, None where there was no need;
    `failure`, the reason why the self-test could not run. A bundle that did not pass is dropped. Raises RunnerError as
    `begin`, `stage`, `begin_trial` and `commit` do, after everything that this flash has begun is undone.
    """
    try:
        answer = _install(request)
    except BaseException:
        # The first error must be reported, not one of undoing.
        with contextlib.suppress(RunnerError, OSError):
            abort(request.root, request.token, request.digest)
        raise
    if not answer["missing"]:
        lifecycle.release(request.root, request.token)
    return answer


def abort(root: Path, token: str, digest: str) -> State:
    """Undo the flash of `token`: remove its files and its lease, and drop what it has staged or put on trial.

    What is served stays. Raises RunnerError: leased or busy if another host flashes.
    """
    archive_of(root, digest).unlink(missing_ok=True)
    with locked_state(root) as state:
        lease.check(root, token)
        begun = lease.release(root, token)
        slot = pending_slot(state)
        if begun and slot and state["slots"][slot]["digest"] == digest:
            write(root, changed(recorded(state, slot, "rolled back"), slot, state="failed", deadline=None))
        if begun:  # else nothing there is of this flash, and what is probed is another host's
            stage.sweep(root)
        return {"changed": begun}


def _install(request: InstallRequest) -> State:
    root, digest, checks = request.root, request.digest, (request.offered, request.stand_in)
    sys.audit(STEP, "begin")
    begun = begin(root, digest, request.token, request.who, request.brought, *checks, ttl_s=request.lease_s)
    sys.audit(STEP, "stage")
    rest = _unpack_archive(request, begun["missing"])
    if rest is None or rest:
        return {**begun, "missing": rest}
    moved = begun
    if not _is_served(begun):
        staging = staging_of(root, digest)
        moved = {**stage.stage(root, staging, digest, request.token, *checks), "missing": []}
    return {**moved, **_test_and_try(request, moved)}


def _unpack_archive(request: InstallRequest, missing: list[str] | None) -> list[str] | None:
    """Unpack the archive, if one was sent, and list the files that are still missing."""
    archive = archive_of(request.root, request.digest)
    if not missing or not archive.exists():
        archive.unlink(missing_ok=True)
        return missing
    stage.unpack_archive(request.root, request.digest, archive, request.token, request.offered, request.stand_in)
    staging = staging_of(request.root, request.digest)
    return [name for name in missing if not (staging / name).exists()]


def _test_and_try(request: InstallRequest, moved: State) -> State:
    """Test the slot, begin the trial and commit, as far as each is needed.

    A bundle that is on trial or served has passed its self-test before.
    """
    slot, state = Path(moved["slot"]), moved["state"]
    answer: State = {}
    sys.audit(STEP, "self-test")
    if request.engine_s is not None:
        from .build_engine import engine

        with lifecycle.slot_in_use(slot):
            answer["engine"] = engine(slot, request.engine_s)
    if state == "staged" or request.engine_s is not None:
        answer |= _run_selftest(slot)
        if "failure" in answer or not answer["selftest"]["passed"]:
            dropped = (
                lifecycle.rollback(request.root, request.digest, token=request.token) if state != "committed" else {}
            )
            return {**answer, **dropped}
    if state == "staged":
        sys.audit(STEP, "trial")
        answer |= lifecycle.begin_trial(request.root, request.digest, request.trial_s, request.token, moved["changed"])
    if request.commit:
        sys.audit(STEP, "commit")
        answer |= lifecycle.commit(request.root, request.digest, request.token)
    return answer


def _run_selftest(slot: Path) -> dict[str, Any]:
    """Run the self-test: `selftest`, its answer, or `failure`, the reason why model or runtime gave none."""
    with lifecycle.slot_in_use(slot):
        try:
            from .selftest import selftest  # numpy and a runtime, which no other step needs

            return {"selftest": selftest(slot, threads=1)}
        except Exception as error:  # noqa: BLE001 whatever a runtime raises
            return {"failure": failure(error)}


def _is_served(begun: State) -> bool:
    return begun["slot"] is not None and Path(begun["slot"]).name == begun["current"]
