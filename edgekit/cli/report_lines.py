"""Reports on the terminal: folded to its width, with colours where it has some."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from edgekit.cli.output import say_coloured
from edgekit.report.forms.text import TextLine

_COLOURS = {"passed": "green", "failed": "red", "undecided": "yellow", "not measurable": "bright_black"}
"""Colours of outcomes; each is a word, too."""


def columns() -> int | None:
    """Columns of the terminal, 60 at least; None where there is none, as in a log, where a row stays a line."""
    if not sys.stdout.isatty():
        return None
    return max(shutil.get_terminal_size().columns, 60)


def say_report(lines_of_text: Sequence[TextLine]) -> None:
    """Print a report's lines, with outcomes in their colours and titles in bold."""
    say_coloured((each.text, each.mark or (each.text if each.title else ""), _colour(each)) for each in lines_of_text)


def _colour(each: TextLine) -> str | None:
    return _COLOURS.get(each.mark.lower())
