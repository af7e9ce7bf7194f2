"""Contents of a device's slots, read from outside."""

from __future__ import annotations

from pathlib import Path

from edgekit.devices.flash import status
from edgekit.devices.local import Local
from tests.devices.conftest import HandMade


def served(device: Local) -> bytes:
    return (Path(device.root) / "current" / "manifest.json").read_bytes()


def content(bundle: HandMade) -> bytes:
    return (bundle.folder / "manifest.json").read_bytes()


def states(device: Local) -> list[str]:
    slots = status(device).slots
    return [slots["a"].state, slots["b"].state]


def left_over(device: Local) -> set[str]:
    """Files in the root that belong to no slot and are no record of them."""
    root = Path(device.root)
    files = {path.relative_to(root) for path in root.rglob("*") if path.is_file()}
    return {
        str(path)
        for path in files
        if path.parts[0] not in {"a", "b", "current", "state.json", "lock", "trust.json", "runner"}
    }
