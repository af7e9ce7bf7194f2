"""Words that come from outside, made fit to be shown: in a terminal, in a report, in JSON."""

from __future__ import annotations

import re

MAX_WORDS = 2000
"""Characters of one line that is shown."""
TAIL = 64 << 10
"""Characters at the end of a text that are looked at: four megabytes of line breaks are four million strings."""


def line(text: str, limit: int | None = None) -> str:
    """One printable line: no line breaks, terminal escapes, NUL, or marks that turn the direction of writing.

    Each such character becomes a space: what is left cannot end up as another escape. Of a line longer than `limit`
    the middle is left out.
    """
    if limit is not None and len(text) > limit:
        text = f"{text[: limit // 2]} … {text[-(limit // 2) :]}"
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def lines(text: str) -> str:
    """Text of ours in several lines, each as `line` makes it."""
    return "\n".join(map(line, text.split("\n")))


def json_lines(document: str) -> str:
    """A JSON document with every character that is not printable written as its escape: it means the same."""
    if document.replace("\n", "").isprintable():
        return document
    return re.sub(r"[^\n -~]", lambda found: found[0] if found[0].isprintable() else _escape(found[0]), document)


def last_lines(text: str, count: int, limit: int = MAX_WORDS) -> list[str]:
    """The last lines of what a program said, `count` at most, without empty ones, each cut and printable."""
    shown = [line(each, limit).strip() for each in text.rstrip()[-TAIL:].split("\n")]
    return [words for words in shown if words][-count:]


def _escape(letter: str) -> str:
    return "".join(f"\\u{unit:04x}" for unit in _utf16(letter))


def _utf16(letter: str) -> tuple[int, ...]:
    raw = letter.encode("utf-16-be", "surrogatepass")
    return tuple(int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2))
