"""Disk of runtime packs: a fresh device has those that were built before, so that none is sent and unpacked again."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from edgekit.cache import Cache, digest_of
from edgekit.devices.emulation.image import PACKS, Image, write_disk
from edgekit.devices.emulation.tools import Tools
from edgekit.devices.packs.pack import build, pack_key
from edgekit.devices.packs.recipe import Recipe, recipe_for
from edgekit.runner.layout import RUNTIMES
from edgekit.runner.machine.runtime_versions import DISTRIBUTIONS


def packs_disk(tools: Tools, image: Image, cache: Cache) -> Path:
    """Find the disk with the packs of preferred runtimes that are in the cache, or make it; the image's if none is.

    Unpacked in the guest, a pack costs more instructions than all the rest of a flash. Nothing is built for it: a
    device that needs another pack is sent that one, as a board is. Raises ToolsMissing, ImageDamaged, StorageError.
    """
    recipes = {pack_key(recipe): recipe for recipe in map(_preferred, DISTRIBUTIONS)}
    known = sorted(key for key in recipes if cache.has(key))
    if not known:
        return image.packs
    key = digest_of({"schema": 1, "packs disk": known, "size": PACKS})
    return cache.made().fetch(key, lambda folder: _make(folder, [recipes[one] for one in known], tools, cache))[0] / (
        image.packs.name
    )


def _preferred(format: str) -> Recipe:
    return recipe_for(format, "auto")


def _make(folder: Path, recipes: list[Recipe], tools: Tools, cache: Cache) -> None:
    root = folder / "root"
    for recipe in recipes:
        pack = build(recipe, {}, cache)
        with tarfile.open(pack.archive) as archive:
            archive.extractall(root / RUNTIMES / pack.listing.digest[:16], filter="data")
    write_disk(root, PACKS, folder / "packs.qcow2", tools, cache)
    shutil.rmtree(root)
