"""`atlas`: one page of all runs found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.atomic import readable, write
from edgekit.cli import options
from edgekit.cli.output import note, print_json, say
from edgekit.errors import UsageError


def register(app: typer.Typer) -> None:
    app.command("atlas")(atlas_command)


def atlas_command(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="Folders with what builds and runs left.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The page.")] = Path("atlas.html"),
    json: options.Json = False,
) -> None:
    """Write one page of all runs found: targets, backends, profiles, Pareto plots, failures, and how to do each again.

    Example: edgekit atlas edgekit-out nightly/ --out atlas.html
    """
    from edgekit.atlas.catalogue import RunCatalogue
    from edgekit.atlas.page import MARK, atlas_page, summary

    if out.is_dir():
        raise UsageError(f"--out '{out}' is a folder", hint=f"--out '{out / 'atlas.html'}'")
    if out.exists():
        with readable(out), out.open("rb") as file:
            if MARK.encode() not in file.read(200):
                raise UsageError(f"'{out}' is there, and is no atlas: it would be lost", hint="--out ANOTHER.html")
    catalogue = RunCatalogue.of(folders)
    write(out, atlas_page(catalogue).encode())
    for each in catalogue.unreadable:
        note(f"not shown: '{each.place}': {each.reason}")
    if json:
        counts = {name: len(getattr(catalogue, name)) for name in ("runs", "failures", "unreadable")}
        print_json({"schema": 1, "page": str(out), **counts})
        return
    say(f"{out}: {summary(catalogue)}")
