"""Rows of tables in Markdown, and words and numbers in the YAML before it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from edgekit.untrusted.sanitize import MAX_WORDS, line


def row(cells: Iterable[str]) -> str:
    """Row of a table from cells that are Markdown already."""
    return f"| {' | '.join(cells)} |"


def scalar(text: str) -> str:
    """Quote a text as YAML 1.2 takes it: a JSON string, but for characters that are not printable."""
    return json.dumps(line(text, MAX_WORDS), ensure_ascii=False)


def number(value: float) -> str:
    """Write a number as YAML 1.1 and 1.2 both read it: `1.0e-05`, which without the point would be a text."""
    mantissa, mark, exponent = repr(float(value)).partition("e")
    return f"{mantissa}{'' if '.' in mantissa else '.0'}{mark}{exponent}"
