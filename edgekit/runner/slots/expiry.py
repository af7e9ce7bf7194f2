"""Whether the time in which a bundle may be installed is over, by a clock that may be wrong. Standard library only."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import RunnerError

FORMAT = "%Y-%m-%dT%H:%M:%SZ"
"""Fixed in length: such texts sort as their times do."""
EARLIEST = "2026-11-01T00:00:00Z"
"""This program is younger: a clock that shows an earlier time is wrong, as that of a board without a battery is."""
_WRITTEN = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z")


def moment(value: Any) -> str | None:
    """Check what a manifest says in `expires`; None if it says nothing. Raises ValueError for what is no such time."""
    if value is None:
        return None
    if not isinstance(value, str) or not _WRITTEN.fullmatch(value):
        raise ValueError("'expires' is no time in UTC")
    time.strptime(value, FORMAT)
    return value


def check_expiry(expires: str | None, history: Iterable[Mapping[str, Any]]) -> str | None:
    """Raise RunnerError (expired) if a bundle must not be installed any more.

    Time only goes on: the later one counts of the clock and of the last change of this device's slots. Returns the
    time that the clock shows if that cannot be right: then only what this device has seen was asked. Else None.
    """
    if expires is None:
        return None
    clock = time.strftime(FORMAT, time.gmtime())
    written = (entry.get("when") for entry in history)
    seen = max([EARLIEST, *(when for when in written if isinstance(when, str) and _WRITTEN.fullmatch(when))])
    latest = max(clock, seen)
    if expires < latest:
        basis = "its clock says" if clock >= seen else "its slots were changed at"
        raise RunnerError("expired", f"it was to be installed until {expires}, and {basis} {latest}")
    return clock if clock < seen else None
