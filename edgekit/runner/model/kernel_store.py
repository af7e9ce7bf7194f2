"""Store of the kernels that an accelerator's runtime compiled here, so that the next load is quicker.

ROOT/kernels/KEY                of a model in a slot; KEY is the SHA-256 of its manifest, device, driver, options
ROOT/probe/NAME/kernels/KEY     of a model that is measured only: they go with its folder
…/sealed.json                   written last: SHA-256 of each file

LiteRT 2.3 dies of a damaged file of kernels: what is not whole is removed before it sees it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from pathlib import Path

from ..errors import RunnerError
from ..files.durable import read_json
from ..files.integrity import digest_of_file
from ..layout import MANIFEST, PROBE, SLOTS, root_of

KERNELS, SEAL = "kernels", "sealed.json"
SETTLE_S, PERIOD_S = 2.0, 0.1
"""Seconds to wait for the kernels at most, and between two looks."""


def kernel_folder(slot: Path, variant: str) -> tuple[Path | None, bool]:
    """Folder for the kernels of the slot's model, which is made; and true if it has some already.

    variant: device, driver and options that they are for. Folders of other variants, of models in no slot, and damaged
    ones are removed. None where no folder can be made: a full or read-only disk makes a load slower, and fails none.
    """
    folder = slot / KERNELS / _key(slot, variant) if slot.parent.name == PROBE else _sweep(slot, variant)
    try:
        if _is_whole(folder):
            return folder, True
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder, False
    except OSError:
        return None, False


def seal(folder: Path) -> None:
    """Write the digests of the kernels in a folder, which is of no use to the next load without them.

    Waits, not for long, until the files are there and do not grow any more.
    """
    with contextlib.suppress(OSError):
        sizes, deadline = None, time.monotonic() + SETTLE_S
        while time.monotonic() < deadline and (not sizes or sizes != _sizes(folder)):
            sizes = _sizes(folder)
            time.sleep(PERIOD_S)
        partial = folder / f"{SEAL}.partial"
        partial.write_text(json.dumps(_digests(folder)), "ascii")
        partial.replace(folder / SEAL)


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def _is_whole(folder: Path) -> bool:
    try:
        sealed = read_json(folder / SEAL, "data")
    except RunnerError:
        return False
    return bool(sealed) and sealed == _digests(folder)


def _digests(folder: Path) -> dict[str, str | None]:
    files = (path for path in folder.iterdir() if path.is_file() and not path.name.startswith(SEAL))
    return {path.name: digest_of_file(path) for path in files}


def _sweep(slot: Path, variant: str) -> Path:
    """Remove what no slot needs, and return the folder of this one."""
    store = root_of(slot) / KERNELS
    slots = {slot, *(store.parent / name for name in SLOTS)}
    needed = {store / _key(each, variant) for each in slots if (each / MANIFEST).is_file()}
    for folder in set(store.glob("*")) - needed:
        shutil.rmtree(folder, ignore_errors=True)
    return store / _key(slot, variant)


def _key(slot: Path, variant: str) -> str:
    return hashlib.sha256((slot / MANIFEST).read_bytes() + variant.encode()).hexdigest()
