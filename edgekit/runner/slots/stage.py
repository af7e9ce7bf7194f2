"""How a bundle comes into a slot: verified at every step, and put in the place of what nobody serves.

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
from .state import State, changed, current_of, held, other, recorded, write
from .state_file import EMPTY
from .trust import Trust, key_id
from .unpack import check_room, copy_known, unpack
from .verify import SignedListing, allowed, check_runtime

SLOWEST_BYTES_A_SECOND = 50_000
"""Of a link over which a bundle is sent: so long the lease is kept for it."""


def prepare(
    root: Path, digest: str, token: str | None = None, offered: Sequence[bytes] = (), stand_in: bool = False
) -> State:
    """Verify the manifest and signature in `ROOT/staging/DIGEST`, and copy there what the slots have already.

    Answers which files are missing still, and their bytes. Raises RunnerError, with the staging removed, as `allowed`,
    `check_expiry`, `check_runtime` and `check_room` do.
    """
    staging = staging_of(root, digest)
    with held(root) as state, lease.under(root, token), _removed_on_error(staging):
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
    """Put the files of `archive` into `ROOT/staging/DIGEST`. Raises RunnerError, with the staging removed."""
    staging = staging_of(root, digest)
    with held(root), lease.under(root, token), _removed_on_error(staging):
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
    """Verify the bundle in `staging` anew, and move it into the slot that is not served.

    What is in a slot already, whole and not failed, is not moved again; what is served stays as it is. On first use
    its signers are pinned: `pinned` names them. `clock` is what a clock shows that cannot be right and was to tell
    whether the bundle has expired. Raises RunnerError as `allowed` and `check_expiry` do, and data if a file is
    missing, damaged or not in the manifest.
    """
    with held(root) as state, lease.under(root, token), _removed_on_error(staging):
        trust, current = Trust.of(root), current_of(root)
        brought = digest_of_file(staging / SIGNATURE)
        signers = {key_id(key) for key in offered}

        def there_already(slot: str) -> bool:
            return holds(root, state, slot, digest, signers, brought)

        if current and there_already(current):
            allowed(root / current, digest, trust, offered, stand_in)
            return answer(root, current, state, changed=False)
        slot = other(current) if current else "a"
        there = there_already(slot)
        listing = allowed(root / slot if there else staging, digest, trust, offered, stand_in)
        if there and state["slots"][slot]["state"] in ("staged", "trial"):
            return answer(root, slot, state, changed=False)
        clock = check_expiry(listing.expires, state["history"])
        if not there:
            _check_files(staging)
        pinned = _pin(root, trust, listing)
        if not there:
            write(root, changed(state, slot, **EMPTY))
            _replace(staging, root / slot)
        state = recorded(changed(state, slot, **_entry(digest, listing)), slot, "staged")
        write(root, state)
        sweep(root)
        return {**answer(root, slot, state, changed=True), "pinned": pinned, "clock": clock}


def holds(
    root: Path, state: State, slot: str, digest: str, signers: AbstractSet[str], brought: str | None = None
) -> bool:
    """Whether the slot has that bundle, whole, and has not failed.

    It must have the very signatures that are `brought`, or, if none are, be signed by all who are said to have signed.
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
    """What is refused leaves nothing behind."""
    try:
        yield
    except BaseException:
        if staging.parent.name == "staging":
            shutil.rmtree(staging, ignore_errors=True)
        raise


def _pin(root: Path, trust: Trust, listing: SignedListing) -> list[str]:
    """On first use, believe those who signed from now on. Whom it did pin."""
    if trust.keys:
        return []
    trust.pinning(listing.signers).write(root)
    return list(listing.signer_ids)


def _entry(digest: str, listing: SignedListing) -> State:
    fields = {"version": listing.version, "floor": listing.floor, "signers": list(listing.signer_ids)}
    return {"state": "staged", "digest": digest, "deadline": None, **fields}


def _replace(staging: Path, slot: Path) -> None:
    """Put the folder `staging` in the place of the slot that nobody serves."""
    remove(slot)
    staging.rename(slot)
    sync_one(slot.parent)


def sweep(root: Path) -> None:
    """Remove what hosts that died, or lost the race, left behind."""
    clear(root / "staging")
    shutil.rmtree(root / PROBE, ignore_errors=True)
