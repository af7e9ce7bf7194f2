"""A release in `edgekit.toml`: its floor, and until when it may be installed."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from edgekit.errors import Expired
from edgekit.specs.release import check_expiry, check_floor, utc


def _toml(text: str) -> Any:
    return tomllib.loads(f"value = {text}")["value"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00Z"),
        ("2027-01-31T01:30:00.9+02:00", "2027-01-30T23:30:00Z"),
        ("2027-01-31", "2027-01-31T23:59:59Z"),
        ('"2027-01-31T12:00:00Z"', "2027-01-31T12:00:00Z"),
    ],
)
def test_an_expiry_is_a_moment_in_utc(written: str, meant: str) -> None:
    assert utc(_toml(written)) == meant == utc(meant)


@pytest.mark.parametrize(
    "written", ["2027-01-31T12:00:00", "12:00:00", '"soon"', '"2027-1-31T12:00:00Z"', '"2027-01-31"', "7", "true"]
)
def test_anything_else_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="zone"):
        utc(_toml(written))


def test_what_is_over_must_not_be_installed() -> None:
    check_expiry(None)
    check_expiry("9999-12-31T23:59:59Z")
    with pytest.raises(Expired, match="until 2026-01-01T00:00:00Z, and this machine's clock says 2"):
        check_expiry("2026-01-01T00:00:00Z")


def test_a_floor_is_at_most_the_version() -> None:
    check_floor(2, 2)
    with pytest.raises(ValueError, match="floor 3 is above its own version 2"):
        check_floor(2, 3)
