"""`runtime build`: the packs that a device without Python needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from edgekit.api.packs import build_packs, copy_pack, pack_recipes
from edgekit.cli import options
from edgekit.cli.output import print_json, print_table, progress
from edgekit.devices.packs.pack import Pack
from edgekit.errors import OptionError

runtime = typer.Typer(help="The runtimes that devices are given.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(runtime, name="runtime")


@runtime.callback()
def _group() -> None:
    pass


@runtime.command("build")
def build_command(
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DISTRIBUTION|FORMAT ...|all]", help="Such as onnxruntime, or tflite."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.tar.gz", help="Also leave the pack here.")] = None,
    json: options.Json = False,
) -> None:
    """Build the packs that are not in the cache yet, and say how large they are."""
    recipes = pack_recipes(what or ["all"])
    if out and len(recipes) != 1:
        raise OptionError(f"--out takes one pack, not {len(recipes)}", hint="name one distribution or format")
    if out and not out.resolve().parent.is_dir():
        raise OptionError(f"--out: there is no folder '{out.parent}'", hint=f"mkdir -p '{out.parent}'")
    with progress("runtime build") as watch:
        packs = build_packs(recipes, watch)
    if out:
        copy_pack(packs[0], out)
    _show(packs, json)


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
