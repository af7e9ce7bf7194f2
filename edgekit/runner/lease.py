"""One flash at a time: `lease.json` names who is at it. A dead host's lease ends by itself. Standard library only.

The lock beside it is held for one verb; a lease spans the verbs of one flash.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import boot
from .durable import read_json, write_json
from .errors import RunnerError

FILE = "lease.json"
TTL_S = 120.0
MAX_WHO = 200


def take(root: Path, token: str, who: str, ttl_s: float) -> None:
    """Hold the lease from now on. Raises RunnerError (leased) if somebody else does."""
    check(root, token)
    _write(root, token, who, ttl_s)


def release(root: Path, token: str) -> bool:
    """Give it back; False if it was not `token`'s any more."""
    found = read_json(root / FILE)
    if found is None or found["token"] != token:
        return False
    (root / FILE).unlink()
    return True


def check(root: Path, token: str | None) -> None:
    """Raises RunnerError (leased) if anybody but `token` holds the lease."""
    found = _live(root)
    if found and found["token"] != token:
        left_s = boot.left_s(found["ends"])
        raise RunnerError("leased", f"'{found['who']}' is flashing it, and may for {left_s:.0f} s more")


def renew(root: Path, token: str | None, seconds: float) -> None:
    """Keep it for as long again, if it is `token`'s."""
    found = _live(root)
    if found and found["token"] == token:
        _write(root, found["token"], found["who"], max(seconds, found["ttl_s"]))


@contextlib.contextmanager
def under(root: Path, token: str | None, keep_s: float = 0) -> Iterator[None]:
    """For a verb that changes slots: refused while somebody else flashes; afterwards kept for `keep_s` at least."""
    check(root, token)
    yield
    renew(root, token, keep_s)


def shown(root: Path) -> dict[str, Any] | None:
    """Who holds it and for how long still; None if nobody does."""
    found = _live(root)
    return {"holder": found["who"], "left_s": boot.left_s(found["ends"])} if found else None


def _live(root: Path) -> dict[str, Any] | None:
    found = read_json(root / FILE)
    return found if found and boot.left_s(found["ends"]) > 0 else None


def _write(root: Path, token: str, who: str, ttl_s: float) -> None:
    document = {"token": token, "who": who[:MAX_WHO], "ttl_s": min(ttl_s, TTL_S), "ends": boot.deadline(ttl_s)}
    write_json(root / FILE, document)
