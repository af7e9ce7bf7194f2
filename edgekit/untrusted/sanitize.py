"""Sanitize untrusted words for a terminal, a report or JSON."""

from __future__ import annotations

import re

MAX_WORDS = 2000
"""Limit of the characters of one line."""
TAIL = 64 << 10
"""Characters at the end of a text that are split into lines: 4 MB of line breaks would be 4 million strings."""


def line(text: str, limit: int | None = None) -> str:
    """Reduce a text to one printable line: no line breaks, terminal escapes, NUL, or bidirectional marks.

    Each such character becomes a space: what is left cannot end up as another escape. Of a line longer than `limit`
    the middle is left out.
    """
    if limit is not None and len(text) > limit:
        text = f"{text[: limit // 2]} … {text[-(limit // 2) :]}"
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def lines(text: str) -> str:
    """Sanitize a text of several lines, each by `line`."""
    return "\n".join(map(line, text.split("\n")))


def json_lines(document: str) -> str:
    """Write every character of a JSON document that is not printable as its escape, which means the same."""
    if document.replace("\n", "").isprintable():
        return document
    return re.sub(r"[^\n -~]", lambda match: match[0] if match[0].isprintable() else _escape(match[0]), document)


def last_lines(text: str, count: int, limit: int = MAX_WORDS) -> list[str]:
    """Select the last lines of a program's output, `count` at most, without empty ones, each cut and printable."""
    shown = [line(each, limit).strip() for each in text.rstrip()[-TAIL:].split("\n")]
    return [words for words in shown if words][-count:]


def _escape(letter: str) -> str:
    return "".join(f"\\u{unit:04x}" for unit in _utf16(letter))


def _utf16(letter: str) -> tuple[int, ...]:
    raw = letter.encode("utf-16-be", "surrogatepass")
    return tuple(int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2))
