"""Words from anywhere in Markdown: no markup, no line break, no mark that turns the text around."""

from __future__ import annotations

import html
import re

from edgekit.untrusted.direction import isolated
from edgekit.untrusted.sanitize import MAX_WORDS, line


def escape(text: str) -> str:
    """Escape `text` so that Markdown and HTML show it as it is."""
    # Entities, not `\<`: not every renderer takes a backslash there, and one that does not would take the tag.
    return re.sub(r"([\\`*_\[\]#|~])", r"\\\1", html.escape(text, quote=False))


def cell(words: str) -> str:
    """Escape words for a line or a cell of a table, with letters from right to left isolated."""
    return isolated(escape(line(words, MAX_WORDS)))


def code(words: str) -> str:
    """Write one line of words as code; as an element of HTML where a letter would end a span of code or a cell."""
    return f"<code>{escape(words)}</code>" if set(words) & set("`<>&|") else f"`{words}`"
