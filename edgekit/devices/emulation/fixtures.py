"""Fixtures of pytest, for tests of your own: `pytest_plugins = ["edgekit.devices.emulation.fixtures"]`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from edgekit.cache import Cache
from edgekit.devices.emulation import faults
from edgekit.devices.emulation.tools import find_tools
from edgekit.errors import ToolsMissing
from edgekit.specs.catalog import Catalog

TARGET = "raspberry-pi-5"
REQUIRED = "EDGEKIT_REQUIRE_EMULATION"


@pytest.fixture(scope="session")
def emulation() -> None:
    """Skip, with the reason, where devices cannot be emulated; fail there if EDGEKIT_REQUIRE_EMULATION is 1."""
    try:
        find_tools(Cache.of_downloads())
    except ToolsMissing as error:
        if os.environ.get(REQUIRED) == "1":
            raise
        pytest.skip(f"no device can be emulated here: {error}")


@pytest.fixture
def device(emulation: None, request: pytest.FixtureRequest) -> Iterator[faults.Device]:
    """A fresh Raspberry Pi 5; another one with `@pytest.mark.parametrize("device", ["pixel-8"], indirect=True)`."""
    target = Catalog.default().target(getattr(request, "param", TARGET))
    with faults.fresh(target) as started:
        yield started
