"""Reports on the terminal: folded to its width, with colours where it has some."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence

import typer

from edgekit.report.forms.text import TextLine
from edgekit.untrusted.direction import isolated
from edgekit.untrusted.sanitize import line

_COLOURS = {"passed": "green", "failed": "red", "undecided": "yellow", "not measurable": "bright_black"}
"""Colours of outcomes; each is a word, too."""


def columns() -> int | None:
    """Columns of the terminal, 60 at least; None where there is none, as in a log, where a row stays a line."""
    if not sys.stdout.isatty():
        return None
    return max(shutil.get_terminal_size().columns, 60)


def say_report(lines_of_text: Sequence[TextLine]) -> None:
    """Print a report's lines; on a terminal with colours, unless NO_COLOR is set."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    shown = ((each, isolated(line(each.text))) for each in lines_of_text)
    typer.echo("".join(f"{_painted(each, text) if coloured else text}\n" for each, text in shown), nl=False)


def _painted(each: TextLine, text: str) -> str:
    if each.title:
        return typer.style(text, bold=True)
    colour = _COLOURS.get(each.mark.lower())
    return text.replace(each.mark, typer.style(each.mark, fg=colour, bold=True), 1) if colour else text
