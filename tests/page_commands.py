"""Commands of edgekit that a page of documentation shows, and what the command line says of each."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from edgekit.cli import completion

SHELLS = ("sh", "bash", "console", "yaml")
INDENTED = re.compile(r"^ {4,}((?:scripts/)?edgekit [^\n]*)", re.MULTILINE)
FENCED = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`(edgekit [^`]+)`")
NEXT = re.compile(r" && | \|\|? | & |; | {3,}(?=[a-z])| #| \d?>")
"""What ends a command in its line: another command, a comment or what it does, a file for its output."""
OPTIONAL = re.compile(r"\[(--[^\]]*)\]")
MISTYPED = "raspbery-pi"
"""Target by which pages show what a wrong name is answered with."""
CHOICE = re.compile(r"(?<=\s)([a-z]+)(?:\|[a-z]+)+(?=\s|$)")


@dataclass(frozen=True)
class Line:
    """A command of a page. Prose may name one without what it requires; a line of a block is whole."""

    text: str
    whole: bool


def commands(page: str) -> Iterator[Line]:
    """Yield the commands of fenced blocks, of indented blocks, and of code spans."""
    for language, text in FENCED.findall(page):
        if not language or language in SHELLS:
            yield from (Line(part, True) for part in _parts(text))
    prose = FENCED.sub("", page)
    for text in INDENTED.findall(prose):
        yield from (Line(part, True) for part in _parts(text))
    for text in SPAN.findall(re.sub(r"\n(?=\S)", " ", prose)):
        yield from (Line(part, False) for part in _parts(text))


def _parts(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        parts = (part.strip().removeprefix("scripts/") for part in NEXT.split(line))
        yield from (part for part in parts if part.startswith("edgekit "))


@lru_cache
def refusal(line: Line) -> str:
    """Return why the command line would not take a line, or "". `[--x Y]` is taken as typed, of `a|b` the first."""
    from typer.exceptions import TyperException

    from edgekit.cli.app import HELP

    words = shlex.split(CHOICE.sub(r"\1", OPTIONAL.sub(r"\1", line.text)))[1:]
    words = [word for before, word in zip(["", *words], words, strict=False) if word != "…" or before.startswith("-")]
    if not words or words[0].startswith("-") or words[0].isupper():
        return ""  # of the root: `edgekit --version`
    name, *rest = words
    if name not in HELP:
        return f"no command '{name}'"
    command = _command(name)
    while below := getattr(command, "commands", {}):
        if not rest or rest[0].isupper():
            return ""
        if rest[0].startswith("-"):
            break
        if rest[0] not in below:
            return f"no command '{rest[0]}' of '{name}'"
        name, *rest = rest
        command = below[name]
    try:
        with command.make_context(name, rest) as context:
            return _unknown_names(context.params)
    except SystemExit:  # of --help
        return ""
    except TyperException as error:
        told = str(error)
    part = not line.whole or "…" in line.text
    return "" if part and (told.startswith("Missing parameter") or "requires an argument" in told) else told


def _unknown_names(parameters: Mapping[str, Any]) -> str:
    """Return what has no such name; names in capitals are the reader's own."""
    for name, known in {
        "target": completion.targets,
        "profile": completion.profiles,
        "example": completion.examples,
    }.items():
        value = parameters.get(name)
        if isinstance(value, str) and value.islower() and value not in (*known(value), MISTYPED):
            return f"no {name} is named '{value}'"
    return ""


@lru_cache
def _command(name: str) -> Any:
    from edgekit.cli.app import load

    return load(name)
