"""`explain`: the meaning of an error code, or all codes by family."""

from __future__ import annotations

import inspect
from typing import Annotated

import typer

from edgekit.cli import options
from edgekit.cli.completion import error_codes
from edgekit.cli.output import print_json, say_lines
from edgekit.errors import EdgekitError, UnknownName, all_errors, suggest

Code = Annotated[
    str | None,
    typer.Argument(help="A code, such as EK105, or a family, such as EK4 or DeviceError.", autocompletion=error_codes),
]


def register(app: typer.Typer) -> None:
    app.command("explain")(explain_command)


def explain_command(code: Code = None, json: options.Json = False) -> None:
    """Say what an error code means; without one, list all codes by family.

    A family is a class of errors with those that derive from it, or the codes that begin alike.
    """
    kinds = _chosen(code)
    if json:
        print_json({"schema": 1, "errors": [_document(kind) for kind in kinds]})
    elif code and code.upper() == kinds[0].code:
        [kind] = kinds
        say_lines(f"{kind.code} {kind.__name__} (exit {kind.exit_code})\n{inspect.cleandoc(kind.__doc__ or '')}\n")
    else:
        say_lines("".join(f"{line}\n" for line in _table(kinds)))


def _chosen(code: str | None) -> list[type[EdgekitError]]:
    """Classes of a code or a family, ordered by code. Raises UnknownName."""
    known = {kind.code: kind for kind in all_errors()}
    ordered = [known[name] for name in sorted(known)]
    if code is None:
        return ordered
    if code.upper() in known:
        return [known[code.upper()]]
    families = {kind.__name__.lower(): kind for kind in ordered}
    if code.lower() in families:
        return [kind for kind in ordered if issubclass(kind, families[code.lower()])]
    alike = [kind for kind in ordered if len(code) > len("EK") and kind.code.startswith(code.upper())]
    if not alike:
        near = suggest(code.upper(), known, "")
        hint = near or suggest(code.lower(), families, "edgekit explain   # lists all codes by family")
        raise UnknownName(f"no error has the code '{code}'", hint=hint)
    return alike


def _table(kinds: list[type[EdgekitError]]) -> list[str]:
    """Lines of the codes under the class that they derive from, each with the first sentence on it."""
    groups: dict[str, list[type[EdgekitError]]] = {}
    for kind in kinds:
        groups.setdefault(_family(kind), []).append(kind)
    lines = []
    for family, members in groups.items():
        exits = sorted({kind.exit_code for kind in members})
        lines += ["", f"{family} (exit {' or '.join(map(str, exits))})"]
        lines += [f"  {kind.code}  {kind.__name__}: {_first(kind)}" for kind in members]
    return [*lines[1:], "", "edgekit explain CODE says more of one"]


def _family(kind: type[EdgekitError]) -> str:
    """Name of the class directly below EdgekitError that this one derives from, or is."""
    below = [base for base in kind.__mro__ if issubclass(base, EdgekitError) and base is not EdgekitError]
    return below[-1].__name__ if below else kind.__name__


def _first(kind: type[EdgekitError]) -> str:
    return (kind.__doc__ or "").split("\n")[0]


def _document(kind: type[EdgekitError]) -> dict[str, object]:
    return {
        "code": kind.code,
        "name": kind.__name__,
        "family": _family(kind),
        "exit_code": kind.exit_code,
        "meaning": inspect.cleandoc(kind.__doc__ or ""),
    }
