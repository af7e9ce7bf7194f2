"""Reference of the command line: every command with its arguments and options, as `--help` has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from edgekit.cli.app import HELP, app, load
from edgekit.cli.guide import GUIDES, OTHERS, panel_of
from edgekit.cli.options import LOGGING
from scripts.documentation.markdown import cell, pages_linked, table

SHARED = {*LOGGING, "help"}
"""Options of every command, told once."""


def command_reference() -> str:
    """Markdown of all commands, in the order and the groups of `edgekit --help`."""
    from typer.main import get_group

    ordered = [*GUIDES, *(name for name in HELP if name not in GUIDES)]
    groups: dict[str, list[str]] = {}
    for name in ordered:
        groups.setdefault(panel_of(name), []).append(name)
    shared = [option for option in get_group(app).params if option.name in LOGGING]
    lines = [
        "# Command line",
        "",
        "Made from `edgekit COMMAND --help`. Exit codes: 0 done and all gates passed, 1 a gate failed or is undecided, "
        "2 bad usage or file, 3 could not be done.",
        "",
        "Every command also takes `--help` and:",
        "",
        *_options(shared),
    ]
    for group in sorted(groups, key=lambda panel: panel == OTHERS):
        lines += ["", f"## {group}"]
        for name in groups[group]:
            lines += _command(load(name), f"edgekit {name}")
    return "\n".join(lines) + "\n"


def _command(command: Any, called: str) -> Iterator[str]:
    """Yield lines of a command, then of the commands below it."""
    below = getattr(command, "commands", {})
    anchor = called.replace(" ", "-")
    yield from ("", f"### {called} {{#{anchor}}}", "")
    yield from (pages_linked(paragraph) for paragraph in _paragraphs(command.help or ""))
    if not below:
        pieces = [piece for parameter in command.params for piece in _usage(parameter)]
        yield from ("```text", " ".join([called, "[OPTIONS]", *pieces]), "```", "")
        yield from _options([each for each in command.params if each.name not in SHARED])
    if command.epilog:
        example, _, page = command.epilog.partition("\n\n")
        shown = f"Example: `{example.removeprefix('Example: ')}`. "
        yield from ("", f"{'' if 'Example: ' in (command.help or '') else shown}{pages_linked(page)}.")
    for name, each in below.items():
        yield from _command(each, f"{called} {name}")


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        yield from (" ".join(paragraph.replace("\b", "").split()), "")


def _usage(parameter: Any) -> list[str]:
    if parameter.param_type_name != "argument":
        return []
    name = (parameter.metavar or parameter.name.upper()).strip("[]")
    return [name if parameter.required else f"[{name}]"]


def _options(parameters: list[Any]) -> Iterator[str]:
    rows = [_row(each) for each in parameters if not getattr(each, "hidden", False)]
    if rows:
        yield from table(("option", "meaning"), rows)


def _row(parameter: Any) -> tuple[str, str]:
    argument = parameter.param_type_name == "argument"
    names = [parameter.metavar or parameter.name.upper()] if argument else [*parameter.opts, *parameter.secondary_opts]
    flag = argument or getattr(parameter, "is_flag", False)
    value = "" if flag else f" {parameter.metavar or _kind(parameter.type_descriptor.annotation)}"
    default = parameter.default
    plain = default not in (None, "", (), []) and not callable(default) and not isinstance(default, bool)
    told = not plain or "UNSET" in str(default) or "default" in (parameter.help or "")
    shown = "" if told else f"Default: `{cell(str(default))}`."
    return (
        ", ".join(f"`{name}{value}`" for name in names),
        " ".join(
            filter(None, (pages_linked(cell(parameter.help or "")), "Required." if parameter.required else shown))
        ),
    )


def _kind(annotation: Any) -> str:
    """Name of a value that the option does not name itself: its choices, or its type."""
    if get_origin(annotation) is Literal:
        return "|".join(map(str, get_args(annotation)))
    return {int: "NUMBER", float: "NUMBER", Path: "PATH"}.get(annotation, "TEXT")
