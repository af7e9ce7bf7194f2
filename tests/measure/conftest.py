from __future__ import annotations

from tests.devices.conftest import device, make_bundle

__all__ = ["device", "make_bundle"]
