"""Store of the kernels that an accelerator's runtime compiled here, so that the next load is quicker.

ROOT/probe/NAME/kernels     of a model that is measured only: it goes with its folder
ROOT/kernels/KEY            of a model in a slot; KEY is the SHA-256 of its manifest, device and driver
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from ..layout import MANIFEST, PROBE, SLOTS, root_of

KERNELS = "kernels"


def kernel_folder(slot: Path, device: str) -> tuple[Path | None, bool]:
    """Folder for the kernels of the slot's model on `device`, which is made; and true if it has some already.

    Folders of other devices, and of models in no slot, are removed. None where no folder can be made: a full or
    read-only disk makes a load slower, and fails none.
    """
    folder = slot / KERNELS if slot.parent.name == PROBE else _sweep(slot, device)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return folder, any(folder.iterdir())
    except OSError:
        return None, False


def _sweep(slot: Path, device: str) -> Path:
    """Remove what no slot needs, and return the folder of this one."""
    store = root_of(slot) / KERNELS
    slots = {slot, *(store.parent / name for name in SLOTS)}
    needed = {store / _key(each, device) for each in slots if (each / MANIFEST).is_file()}
    for folder in set(store.glob("*")) - needed:
        shutil.rmtree(folder, ignore_errors=True)
    return store / _key(slot, device)


def _key(slot: Path, device: str) -> str:
    return hashlib.sha256((slot / MANIFEST).read_bytes() + device.encode()).hexdigest()
