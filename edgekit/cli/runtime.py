"""`runtime build`: the packs that a device without Python needs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from edgekit.atomic import replacing, stored
from edgekit.cache import Cache
from edgekit.cli import options
from edgekit.cli.output import print_json, print_table, progress
from edgekit.devices.packs.pack import Pack, build
from edgekit.devices.packs.recipe import RECIPES, Recipe, recipe_for
from edgekit.errors import OptionError, UnknownName, suggest
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.runner.machine.installed import DISTRIBUTIONS

runtime = typer.Typer(help="The runtimes that devices are given.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(runtime, name="runtime")


@runtime.callback()
def _group() -> None:
    pass


@runtime.command("build")
def build_packs(
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DISTRIBUTION|FORMAT ...|all]", help="Such as onnxruntime, or tflite."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.tar.gz", help="Also leave the pack here.")] = None,
    json: options.Json = False,
) -> None:
    """Build the packs that are not in the cache yet, and say how large they are."""
    recipes = _chosen(what or ["all"])
    if out and len(recipes) != 1:
        raise OptionError(f"--out takes one pack, not {len(recipes)}", hint="name one distribution or format")
    if out and not out.resolve().parent.is_dir():
        raise OptionError(f"--out: there is no folder '{out.parent}'", hint=f"mkdir -p '{out.parent}'")
    cache = Cache.of_downloads()
    with progress("runtime build") as watch:
        line = StageRunner(cache, watch)
        packs = []
        for recipe in recipes:
            with line.stage(recipe.distribution):
                packs.append(build(recipe, {}, cache))
    if out:
        _copy(packs[0].archive, out)
    _show(packs, json)


def _chosen(what: Sequence[str]) -> list[Recipe]:
    """Resolve names of packs or formats into recipes, each once, in the order of their table. Raises UnknownName."""
    by_format = {format: recipe_for(format, "auto") for format in DISTRIBUTIONS}
    known = by_format | {recipe.distribution: recipe for recipe in RECIPES}
    for name in what:
        if name not in (*known, "all"):
            hint = suggest(name, known, f"known: all, {', '.join(known)}")
            raise UnknownName(f"there is no runtime pack for '{name}'", hint=hint)
    return [recipe for recipe in RECIPES if "all" in what or recipe in [known.get(name) for name in what]]


def _copy(archive: Path, out: Path) -> None:
    with archive.open("rb") as packed, stored(out), replacing(out) as file:
        shutil.copyfileobj(packed, file)


def _show(packs: Sequence[Pack], json: bool) -> None:
    if json:
        print_json({"schema": 1, "packs": [pack.listing.model_dump(mode="json") for pack in packs]})
        return
    rows = [
        (
            listing.distribution,
            f".{listing.format}",
            f"{listing.device_bytes / 1e6:.1f} MB",
            f"{listing.archive_bytes / 1e6:.1f} MB",
            ", ".join(f"{name} {version}" for name, version in listing.versions.items()),
            listing.digest,
        )
        for listing in (pack.listing for pack in packs)
    ]
    print_table(("runtime", "runs", "on the device", "archive", "versions", "digest"), rows)
