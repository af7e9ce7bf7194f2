"""Programs from Debian's packages that a test cannot do without."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from edgekit.cache import Cache
from edgekit.devices import debian
from edgekit.errors import ToolsMissing


def fetched(packages: Sequence[str], cache: Path) -> Path:
    """The packages for this machine, unpacked, kept in `cache` or where EDGEKIT_DOWNLOADS says.

    Where they cannot be had the test is skipped, or fails if EDGEKIT_REQUIRE_EMULATION is 1.
    """
    kept = os.environ.get("EDGEKIT_DOWNLOADS")
    try:
        return debian.fetched(packages, debian.host(), Cache(Path(kept) if kept else cache))
    except ToolsMissing as error:
        unavailable(f"no {', '.join(packages)}: {error}")


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or have it fail where emulation is required."""
    if os.environ.get("EDGEKIT_REQUIRE_EMULATION") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
