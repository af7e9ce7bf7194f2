"""Expiry: a bundle may be installed until a time, which the device checks by a clock that may be wrong.

Standard library only.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import RunnerError

FORMAT = "%Y-%m-%dT%H:%M:%SZ"
"""Format of times in UTC, fixed in length: such texts sort as their times do."""
EARLIEST = "2026-11-01T00:00:00Z"
"""Time before this program was written: a clock that shows an earlier one is wrong, as on a board without a battery."""
_WRITTEN = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z")


def moment(value: Any) -> str | None:
    """Check the field `expires` of a manifest; None if it has none. Raises ValueError for what is no time in UTC."""
    if value is None:
        return None
    if not isinstance(value, str) or not _WRITTEN.fullmatch(value):
        raise ValueError("'expires' is no time in UTC")
    time.strptime(value, FORMAT)
    return value


def check_expiry(expires: str | None, history: Iterable[Mapping[str, Any]]) -> str | None:
    """Raise RunnerError (expired) if a bundle must not be installed any more.

    Time only goes on: the later one counts of the clock's and that of the last change of this device's slots, in
    `history`. Returns the time of the clock if that is earlier than the other, and so wrong; else None.
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
