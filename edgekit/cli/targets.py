"""`targets`: the hardware there is to build for."""

from __future__ import annotations

from typing import Annotated

import typer

from edgekit.cli import completion, options
from edgekit.cli.names import check_family
from edgekit.cli.output import print_json, print_table
from edgekit.specs.catalog import Catalog

targets = typer.Typer(help="The hardware there is to build for.", invoke_without_command=True)


def register(app: typer.Typer) -> None:
    app.add_typer(targets, name="targets")


@targets.callback()
def list_targets(context: typer.Context, family: options.Family = None, json: options.Json = False) -> None:
    """List the targets; `show ID` prints one."""
    if context.invoked_subcommand:
        return
    every = Catalog.default().targets()
    check_family(family, {target.family for target in every})
    boards = [target for target in every if family in (None, target.family)]
    if json:
        print_json({"schema": 1, "targets": [target.model_dump(mode="json", by_alias=True) for target in boards]})
        return
    rows = [
        (
            board.id,
            board.family + (" (default)" if board.default else ""),
            board.title,
            " ".join(runtime.backend for runtime in board.runtime),
            ", ".join(map(board.accelerator_text, board.accelerator)) or "none",
        )
        for board in boards
    ]
    print_table(("target", "family", "title", "backends", "accelerators"), rows)


@targets.command("show")
def show_target(
    target: Annotated[str, typer.Argument(autocompletion=completion.targets)], json: options.Json = False
) -> None:
    """Print one target, or a family's default board, as JSON, with --json or without."""
    print_json(Catalog.default().target(target).model_dump(mode="json", by_alias=True, exclude_none=True))
