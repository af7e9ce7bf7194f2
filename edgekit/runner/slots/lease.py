"""Lease: one host flashes at a time, and `lease.json` names it. A dead host's lease ends by itself.

The lock beside it is held for one verb; a lease spans the verbs of one flash. One that cannot be read protects nothing.
Standard library only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import RunnerError
from ..files.durable import read_json, remove, write_json
from . import deadlines
from .state_file import is_deadline

FILE = "lease.json"
TTL_S = 120.0
"""Seconds that a lease lasts, and that a verb of its flash renews it for."""
LONGEST_S = 7 * 86400.0
"""Longest lease in seconds that is believed; a gigabyte over the slowest link takes six hours."""
MAX_WHO = 200
"""Largest length of a holder's name in characters."""
NEW = 0.75
"""Share of its time from which a lease counts as new: it is not written again for every step of one process."""


class Lease(NamedTuple):
    """Holder of the device, and the time until which."""

    token: str
    who: str
    ttl_s: float
    ends: dict[str, Any]
    """Deadline, by `deadlines.deadline`."""

    @property
    def left_s(self) -> float:
        return deadlines.left_s(self.ends)


def take(root: Path, token: str, who: str, ttl_s: float) -> None:
    """Take the lease for `ttl_s` seconds. Raises RunnerError (leased) if another host holds it."""
    check(root, token)
    _write(root, token, who, ttl_s)


def release(root: Path, token: str) -> bool:
    """Release the lease; False if it was not `token`'s any more."""
    lease = _read(root)
    if lease is None or lease.token != token:
        return False
    remove(root / FILE)
    return True


def check(root: Path, token: str | None) -> None:
    """Raise RunnerError (leased) if anybody but `token` holds the lease."""
    lease = _valid_lease(root)
    if lease and lease.token != token:
        raise RunnerError("leased", f"'{lease.who}' is flashing it, and may for {lease.left_s:.0f} s more")


def renew(root: Path, token: str | None, seconds: float = 0) -> None:
    """Renew the lease for its time, or for `seconds` if that is longer, if it is `token`'s and no longer new."""
    lease = _valid_lease(root)
    wanted_s = max(seconds, lease.ttl_s) if lease else 0
    if lease and lease.token == token and lease.left_s < NEW * wanted_s:
        _write(root, lease.token, lease.who, wanted_s)


@contextlib.contextmanager
def under(root: Path, token: str | None) -> Iterator[None]:
    """Run the block of a verb that changes slots under the lease, and renew it afterwards if it is `token`'s.

    Raises RunnerError (leased) while another host flashes.
    """
    check(root, token)
    yield
    renew(root, token)


def shown(root: Path) -> dict[str, Any] | None:
    """Holder of the lease and the seconds that are left; None if nobody holds it."""
    lease = _valid_lease(root)
    return {"holder": lease.who, "left_s": lease.left_s} if lease else None


def _valid_lease(root: Path) -> Lease | None:
    lease = _read(root)
    return lease if lease and 0 < lease.left_s <= LONGEST_S else None


def _read(root: Path) -> Lease | None:
    """Read the lease; None if there is none, or none that makes sense: its holder cannot be known."""
    try:
        document = read_json(root / FILE, "garbled")
        lease = Lease(**document) if document else None
    except (RunnerError, TypeError):
        return None
    if lease is None or not isinstance(lease.token, str) or not isinstance(lease.who, str):
        return None
    lasts = type(lease.ttl_s) in (int, float) and 0 <= lease.ttl_s <= LONGEST_S
    return lease if lasts and is_deadline(lease.ends) else None


def _write(root: Path, token: str, who: str, ttl_s: float) -> None:
    document = {"token": token, "who": who[:MAX_WHO], "ttl_s": min(ttl_s, TTL_S), "ends": deadlines.deadline(ttl_s)}
    write_json(root / FILE, document)
