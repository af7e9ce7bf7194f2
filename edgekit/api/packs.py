"""Runtime packs: archives with a Python and a runtime, for devices that have none."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from edgekit.atomic import replacing, stored
from edgekit.cache import Cache
from edgekit.devices.packs.pack import Pack, build
from edgekit.devices.packs.recipe import RECIPES, Recipe, recipe_for
from edgekit.errors import UnknownName, suggest
from edgekit.pipeline.stages.stage_runner import StageRunner, Watch, unwatched
from edgekit.runner.machine.runtime_versions import DISTRIBUTIONS


def pack_recipes(names: Sequence[str]) -> list[Recipe]:
    """Resolve names of distributions and formats, or `all`, into recipes: each once, in the order of their table.

    Raises UnknownName, with the nearest name.
    """
    by_format = {format: recipe_for(format, "auto") for format in DISTRIBUTIONS}
    known = by_format | {recipe.distribution: recipe for recipe in RECIPES}
    for name in names:
        if name not in (*known, "all"):
            hint = suggest(name, known, f"known: all, {', '.join(known)}")
            raise UnknownName(f"there is no runtime pack for '{name}'", hint=hint)
    return [recipe for recipe in RECIPES if "all" in names or recipe in [known.get(name) for name in names]]


def build_packs(recipes: Sequence[Recipe], watch: Watch = unwatched) -> list[Pack]:
    """Build the packs that are not in the cache of downloads yet, and return all of them in the order of `recipes`.

    watch: called with each distribution as its stage begins and ends. Raises PackError, StorageError.
    """
    line = StageRunner(Cache.of_downloads(), watch)
    packs = []
    for recipe in recipes:
        with line.stage(recipe.distribution):
            packs.append(build(recipe, {}, line.cache))
    return packs


def copy_pack(pack: Pack, out: Path) -> None:
    """Write the archive of a pack to `out`, a `.tar.gz`, in one step. Raises StorageError."""
    with pack.archive.open("rb") as packed, stored(out), replacing(out) as file:
        shutil.copyfileobj(packed, file)
