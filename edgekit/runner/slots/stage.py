"""Staging: a bundle is verified at every step, and replaces the content of the slot that is not served.

Standard library only.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from ..errors import RunnerError
from ..files.durable import remove, sync, sync_one
from ..files.integrity import digest_of_file, fault
from ..layout import PROBE, SIGNATURE, SLOTS
from . import lease
from .expiry import check_expiry
from .lifecycle import answer, is_whole
from .staging_folder import clear, staging_of
from .state import State, changed, current_of, locked_state, other, recorded, write
from .state_file import EMPTY
from .trust import Trust, key_id
from .unpack import check_room, copy_known, unpack
from .verify import SignedListing, allowed, check_runtime

SLOWEST_BYTES_A_SECOND = 50_000
"""Slowest link that is planned for, in bytes/s: the lease is extended by the transfer time at this rate."""


def prepare(
    root: Path, digest: str, token: str | None = None, offered: Sequence[bytes] = (), stand_in: bool = False
) -> State:
    """Verify the manifest and signature in `ROOT/staging/DIGEST`, and copy there the files that the slots have.

    Answers the files that are still `missing`, and their `bytes`. Raises RunnerError, with the staging removed, as
    `allowed`, `check_expiry`, `check_runtime` and `check_room` do.
    """
    staging = staging_of(root, digest)
    with locked_state(root) as state, lease.under(root, token), _removed_on_error(staging):
        listing = allowed(staging, digest, Trust.of(root), offered, stand_in)
        check_expiry(listing.expires, state["history"])
        if not stand_in:
            check_runtime(listing)
        missing = copy_known(staging, listing, [root / name for name in SLOTS])
        count = check_room(root, listing, missing)
        lease.renew(root, token, count / SLOWEST_BYTES_A_SECOND)
        return {"missing": missing, "bytes": count}


def unpack_archive(
    root: Path,
    digest: str,
    archive: Path,
    token: str | None = None,
    offered: Sequence[bytes] = (),
    stand_in: bool = False,
) -> State:
    """Unpack `archive` into `ROOT/staging/DIGEST`. Raises RunnerError, with the staging removed."""
    staging = staging_of(root, digest)
    with locked_state(root), lease.under(root, token), _removed_on_error(staging):
        unpack(archive, staging, allowed(staging, digest, Trust.of(root), offered, stand_in))
        return {"changed": True}


def stage(
    root: Path,
    staging: Path,
    digest: str,
    token: str | None = None,
    offered: Sequence[bytes] = (),
    stand_in: bool = False,
) -> State:
    """Verify the bundle in `staging` once more, and move it into the slot that is not served.

    A bundle that a slot holds already, whole and not failed, is not moved again; what is served stays as it is. On
    first use its signers are pinned (TOFU): `pinned` in the answer names them. `clock` is the time of a clock that is
    wrong and had to decide whether the bundle has expired, else None. Raises RunnerError as `allowed` and
    `check_expiry` do, and data if a file is missing, damaged or not in the manifest.
    """
    with locked_state(root) as state, lease.under(root, token), _removed_on_error(staging):
        trust, current = Trust.of(root), current_of(root)
        brought = digest_of_file(staging / SIGNATURE)
        signers = {key_id(key) for key in offered}

        def there_already(slot: str) -> bool:
            return holds(root, state, slot, digest, signers, brought)

        if current and there_already(current):
            allowed(root / current, digest, trust, offered, stand_in)
            return answer(root, current, state, changed=False)
        slot = other(current) if current else "a"
        is_there = there_already(slot)
        listing = allowed(root / slot if is_there else staging, digest, trust, offered, stand_in)
        if is_there and state["slots"][slot]["state"] in ("staged", "trial"):
            return answer(root, slot, state, changed=False)
        clock = check_expiry(listing.expires, state["history"])
        if not is_there:
            _check_files(staging)
        pinned = _pin(root, trust, listing)
        if not is_there:
            write(root, changed(state, slot, **EMPTY))
            _replace(staging, root / slot)
        state = recorded(changed(state, slot, **_staged_entry(digest, listing)), slot, "staged")
        write(root, state)
        sweep(root)
        return {**answer(root, slot, state, changed=True), "pinned": pinned, "clock": clock}


def holds(
    root: Path, state: State, slot: str, digest: str, signers: AbstractSet[str], brought: str | None = None
) -> bool:
    """Tell whether the slot holds that bundle, whole, and has not failed.

    signers: ids of all keys that must have signed it. brought: SHA-256 that its `manifest.sig` must have instead.
    """
    entry = state["slots"][slot]
    if entry["digest"] != digest or entry["state"] == "failed" or not is_whole(root, state, slot):
        return False
    if brought is None:
        return signers <= set(entry["signers"])
    return brought == digest_of_file(root / slot / SIGNATURE)


def _check_files(staging: Path) -> None:
    problem = fault(staging)
    if problem:
        raise RunnerError("data", problem)
    sync(staging)


@contextlib.contextmanager
def _removed_on_error(staging: Path) -> Iterator[None]:
    """Remove the staging if the block raises: a refused bundle leaves nothing behind."""
    try:
        yield
    except BaseException:
        if staging.parent.name == "staging":
            shutil.rmtree(staging, ignore_errors=True)
        raise


def _pin(root: Path, trust: Trust, listing: SignedListing) -> list[str]:
    """Trust on first use (TOFU): pin the signers if no key is pinned yet. Returns the ids that were pinned."""
    if trust.keys:
        return []
    trust.pinning(listing.signers).write(root)
    return list(listing.signer_ids)


def _staged_entry(digest: str, listing: SignedListing) -> State:
    named = {"digest": digest, "name": listing.name, "version": listing.version, "floor": listing.floor}
    return {"state": "staged", "deadline": None, **named, "signers": list(listing.signer_ids)}


def _replace(staging: Path, slot: Path) -> None:
    """Replace the slot that is not served by the folder `staging`."""
    remove(slot)
    staging.rename(slot)
    sync_one(slot.parent)


def sweep(root: Path) -> None:
    """Remove the files of hosts that died or lost a race."""
    clear(root / "staging")
    shutil.rmtree(root / PROBE, ignore_errors=True)
