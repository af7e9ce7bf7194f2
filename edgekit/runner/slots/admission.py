"""Whether what a slot holds may be served, asked at every move towards `current`: whole, and trusted now.

Trust at the time of staging is not enough: keys are revoked, thresholds and floors raised, blocks of a disk lost.
Standard library only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import RunnerError
from ..files.integrity import fault
from ..layout import SLOTS
from .trust import Trust
from .verify import SignedListing, allowed

ROLES = {"committed": "behind", "staged": "trial", "trial": "trial"}


def admit(slot: Path, digest: str, trust: Trust) -> SignedListing:
    """What the bundle in the folder `slot` lists, once it is known to be that of `digest`, trusted, and whole.

    Raises RunnerError: damaged if its files are not those that were staged; trust, refused or version as `allowed`.
    """
    listing = trusted(slot, digest, trust)
    problem = fault(slot)
    if problem:
        raise RunnerError("damaged", problem)
    return listing


def trusted(slot: Path, digest: str, trust: Trust) -> SignedListing:
    """As `admit`, by manifest and signature alone: no other file is read.

    The machine is not asked again: the slot has not moved to another one since it was staged.
    """
    try:
        return allowed(slot, digest, trust, offered=(), stand_in=True)
    except RunnerError as error:
        kind = "damaged" if error.kind in ("data", "signature") else error.kind
        raise RunnerError(kind, f"slot '{slot.name}' may not be served: {error}") from error


def is_signed(slot: Path, digest: str, trust: Trust) -> bool:
    """Whether manifest and signature are there and undamaged, whoever has signed."""
    try:
        trusted(slot, digest, trust)
    except RunnerError as error:
        return error.kind != "damaged"
    return True


def refusals(root: Path, state: dict[str, Any], current: str | None, trust: Trust) -> list[dict[str, Any]]:
    """The slots that hold what is not trusted (any more), whether it is served, on trial or behind, and why."""
    refused = []
    for name in SLOTS:
        entry = state["slots"][name]
        role = "served" if name == current else ROLES.get(entry["state"])
        try:
            if role and entry["digest"]:
                trusted(root / name, entry["digest"], trust)
        except RunnerError as error:
            if error.kind == "damaged":
                continue
            refused.append({"slot": name, "role": role, "digest": entry["digest"], "why": str(error)})
    return refused
