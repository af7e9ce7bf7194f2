"""Release facts: version, version floor (anti-rollback), and expiry of a bundle."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Any

from pydantic import BeforeValidator

from edgekit.errors import Expired

FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def check_floor(version: int, floor: int) -> None:
    """Raise ValueError if the floor is above the release's own version: it could never be installed again."""
    if floor > version:
        raise ValueError(f"its floor {floor} is above its own version {version}")


def check_expiry(expires: str | None) -> None:
    """Raise Expired if `expires` has passed by the clock of this host. Devices check by their own clock."""
    now = _text(datetime.now(UTC))
    if expires is not None and expires < now:
        raise Expired(
            f"it was to be installed until {expires}, and this machine's clock says {now}",
            hint="build it anew with a later 'expires' in edgekit.toml, or without",
        )


def utc(value: Any) -> str:
    """Format a moment as manifests write it, such as `2027-01-31T12:00:00Z`: such texts sort as their times do.

    value: a date and time with its zone, a date (its last second, UTC), or a text that this function returned. Raises
    ValueError for anything else.
    """
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time needs its zone, such as 2027-01-31T12:00:00Z")
        return _text(value.astimezone(UTC))
    if isinstance(value, date):
        return _text(datetime.combine(value, time(23, 59, 59), UTC))
    try:
        if _text(datetime.strptime(value, FORMAT).replace(tzinfo=UTC)) == value:
            return str(value)
    except (TypeError, ValueError):
        pass
    raise ValueError("should be a date or a time with its zone, such as 2027-01-31 or 2027-01-31T12:00:00Z")


def _text(moment: datetime) -> str:
    return moment.strftime(FORMAT)


Moment = Annotated[str, BeforeValidator(utc)]
"""A moment in UTC, to the second."""
