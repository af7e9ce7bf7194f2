"""`cache`: how much the finished stages of builds take, and their removal."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from typing import Annotated

import typer

from edgekit import user_paths
from edgekit.cache_contents import DAY_S, CacheContents, cache_contents, clean
from edgekit.cli import options
from edgekit.cli.output import print_json, print_table, say
from edgekit.devices.emulation import registry
from edgekit.errors import CacheInUse

group = typer.Typer(no_args_is_help=True, help="What finished stages of builds and downloads take, and their removal.")
Downloads = Annotated[
    bool,
    typer.Option("--downloads", help="Also packages, images of boards and runtime packs, which are fetched again."),
]


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="cache")


@group.command("show")
def show_command(json: options.Json = False) -> None:
    """Say where the cache is, and what is in it."""
    results, downloads = cache_contents(user_paths.cache()), cache_contents(user_paths.downloads())
    if json:
        print_json({"schema": 1, "results": _document(results), "downloads": _document(downloads)})
        return
    print_table(
        ("cache", "entries", "size", "oldest", "in use", "folder"),
        [("stages of builds", *_row(results)), ("downloads", *_row(downloads))],
    )
    free = next((folder for folder in (results.root, *results.root.parents) if folder.exists()), results.root)
    say(f"free on that disk: {shutil.disk_usage(free).free / 1e9:,.1f} GB; `edgekit cache clean` removes the stages")


@group.command("clean")
def clean_command(
    older_than: Annotated[
        float, typer.Option("--older-than", min=0.0, metavar="DAYS", help="Only entries made longer ago.")
    ] = 0.0,
    downloads: Downloads = False,
    json: options.Json = False,
) -> None:
    """Remove finished stages of builds: the next build makes them anew. Refused while a build runs (EK507).

    Bundles and reports lie in `edgekit-out`, and stay.
    """
    if downloads and registry.cards():
        raise CacheInUse(
            "an emulated device has its disk among the downloads", hint="edgekit device list, then down NAME"
        )
    roots = [user_paths.cache(), *([user_paths.downloads()] if downloads else [])]
    removed = [clean(root, older_than) for root in roots]
    entries, freed = (sum(each) for each in zip(*removed, strict=True))
    if json:
        print_json({"schema": 1, "removed": entries, "bytes": freed})
        return
    say(f"removed {entries:,} {'entry' if entries == 1 else 'entries'}, {freed / 1e6:,.1f} MB")


def _row(contents: CacheContents) -> tuple[str, ...]:
    days = "-" if contents.oldest_s is None else f"{contents.oldest_s / DAY_S:,.1f} days"
    size = f"{contents.bytes / 1e6:,.1f} MB"
    return f"{contents.entries:,}", size, days, "yes" if contents.in_use else "no", str(contents.root)


def _document(contents: CacheContents) -> dict[str, object]:
    return {**asdict(contents), "root": str(contents.root)}
