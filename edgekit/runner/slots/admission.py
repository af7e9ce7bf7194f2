"""Admission: a slot may be served if its bundle is whole and trusted now. Checked at every move towards `current`.

Trust at the time of staging is not enough: keys are revoked, thresholds and version floors raised, blocks of a disk
lost. Standard library only.
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
    """Verify that the folder `slot` holds the bundle of `digest`, trusted and whole, and return its listing.

    Raises RunnerError: damaged if its files are not those that were staged; trust, refused or version as `allowed`.
    """
    listing = trusted(slot, digest, trust)
    problem = fault(slot)
    if problem:
        raise RunnerError("damaged", problem)
    return listing


def trusted(slot: Path, digest: str, trust: Trust) -> SignedListing:
    """Verify manifest and signature only, and return the listing: no other file is read. Raises as `admit`.

    The machine is not checked again: the slot has not moved to another one since it was staged.
    """
    try:
        return allowed(slot, digest, trust, offered=(), stand_in=True)
    except RunnerError as error:
        kind = "damaged" if error.kind in ("data", "signature") else error.kind
        raise RunnerError(kind, f"slot '{slot.name}' may not be served: {error}") from error


def is_signed(slot: Path, digest: str, trust: Trust) -> bool:
    """Tell whether manifest and signature are there and undamaged, whoever has signed."""
    try:
        trusted(slot, digest, trust)
    except RunnerError as error:
        return error.kind != "damaged"
    return True


def refusals(root: Path, state: dict[str, Any], current: str | None, trust: Trust) -> list[dict[str, Any]]:
    """List the slots whose bundle is not trusted (any more): slot, role (served, trial or behind), digest, why."""
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
