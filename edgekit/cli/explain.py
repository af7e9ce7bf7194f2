"""`explain`: the meaning of an error code."""

from __future__ import annotations

import inspect
from typing import Annotated

import typer

from edgekit.cli.output import say_lines
from edgekit.errors import UnknownName, all_errors, suggest


def register(app: typer.Typer) -> None:
    app.command("explain")(explain_command)


def explain_command(code: Annotated[str, typer.Argument(help="An error's code, such as EK105.")]) -> None:
    """Say what an error code means."""
    known = {kind.code: kind for kind in all_errors()}
    if code.upper() not in known:
        raise UnknownName(
            f"no error has the code '{code}'", hint=suggest(code.upper(), known, f"they run from EK100 to {max(known)}")
        )
    kind = known[code.upper()]
    say_lines(f"{kind.code} {kind.__name__} (exit {kind.exit_code})\n{inspect.cleandoc(kind.__doc__ or '')}\n")
