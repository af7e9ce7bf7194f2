"""Accelerator that the model of a slot runs on, by the choice that its device keeps."""

from __future__ import annotations

from pathlib import Path

from ..layout import SLOTS, root_of
from ..machine.runtime_versions import installed
from ..slots.accelerator_choice import changes, surroundings
from ..slots.state import FILE, read
from .accelerator import CPU, Accelerator, accelerator_of
from .manifest import read_manifest


def accelerator_of_slot(slot: Path) -> Accelerator | None:
    """Accelerator that was chosen for the model of a slot; None for its CPU, without a choice, or one that expired."""
    root = root_of(slot)
    if slot.name not in SLOTS or not (root / FILE).is_file():
        return None
    kept = read(root)["slots"][slot.name]["accelerator"]
    if kept is None or kept["kind"] == CPU:
        return None
    here = surroundings(installed()[read_manifest(slot).format])
    return None if changes(kept, here) else accelerator_of(kept["kind"], kept["options"])
