"""`profiles`: the recipes of compression and gates."""

from __future__ import annotations

from typing import Annotated

import typer

from edgekit.cli import completion, options
from edgekit.cli.names import check_family
from edgekit.cli.output import print_json, print_table
from edgekit.specs.catalog import Catalog

profiles = typer.Typer(help="The recipes of compression and gates.", invoke_without_command=True)


def register(app: typer.Typer) -> None:
    app.add_typer(profiles, name="profiles")


@profiles.callback()
def list_profiles(context: typer.Context, family: options.Family = None, json: options.Json = False) -> None:
    """List the profiles; `show ID` prints one."""
    if context.invoked_subcommand:
        return
    every = Catalog.default().profiles()
    check_family(family, {name for profile in every for name in profile.families})
    recipes = [profile for profile in every if family is None or family in profile.families]
    if json:
        print_json({"schema": 1, "profiles": [profile.model_dump(mode="json", by_alias=True) for profile in recipes]})
        return
    print_table(("profile", "families", "summary"), [(p.id, " ".join(p.families), p.summary) for p in recipes])


@profiles.command("show")
def show_profile(
    profile: Annotated[str, typer.Argument(autocompletion=completion.profiles)], json: options.Json = False
) -> None:
    """Print one profile as JSON, with --json or without."""
    print_json(Catalog.default().profile(profile).model_dump(mode="json", by_alias=True, exclude_none=True))
