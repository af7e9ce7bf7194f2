"""Markdown that is written and rewritten: tables, and changes to what is not code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

CODE = re.compile(r"(`+[^`]*`+)")
PAGE = re.compile(r"\bdocs/((?:[\w-]+/)*[\w-]+\.md)\b")


def cell(text: str) -> str:
    """Text in one cell of a table: no line ends, no bar that would end the cell, no HTML."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a table, an empty line after it. Cells are Markdown already."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def pages_linked(text: str) -> str:
    """Text of a page in `reference/`, in which `docs/x.md` is a link to that page."""
    return PAGE.sub(lambda match: f"[{match[1]}](../{match[1]})", text)


def outside_code(text: str, prose: Callable[[str], str], span: Callable[[str], str]) -> str:
    """Apply `prose` to text outside code blocks and code spans, and `span` to the code spans there.

    Lines that are indented by four spaces are blocks of code; so are continued lines of lists, which stay as they are.
    """
    lines, fence = [], ""
    for line in text.split("\n"):
        mark = re.match(r" {0,3}(```+|~~~+)", line)
        if mark and (not fence or line.strip() == fence):
            fence = "" if fence else mark[1]
        elif not fence and not line.startswith("    "):
            parts = CODE.split(line)
            parts = [span(part) if i % 2 else prose(part) for i, part in enumerate(parts)]
            line = "".join(parts)
        lines.append(line)
    return "\n".join(lines)
