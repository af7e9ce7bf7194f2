"""Read untrusted JSON within bounds of size and depth."""

from __future__ import annotations

import json
import math
from typing import Any

MAX_VALUES = 100_000
"""Limit of the values in one document: each takes some hundred bytes, and as much again in an error of pydantic."""
MAX_DEPTH = 64
INT64 = 1 << 63


def loads(text: str | bytes, max_values: int = MAX_VALUES) -> Any:
    """Read a JSON document (RFC 8259).

    Raises ValueError for what is no JSON, is nested deeper than `MAX_DEPTH`, has more than `max_values` values, a
    number that is not finite or no 64-bit integer, or text that is not Unicode. Python's own `json` takes NaN,
    Infinity, 1e999, integers of thousands of digits and lone surrogates, and fails with RecursionError.
    """
    decoded = text.decode("utf-8") if isinstance(text, bytes) else text
    # Each value but the first has a comma, a colon or a bracket before it. What stands in texts counts too: a bound.
    if sum(map(decoded.count, ",:[{")) > max_values:
        raise ValueError(f"more than {max_values:,} values")
    try:
        document = json.loads(decoded, parse_constant=_constant, parse_float=_real, parse_int=_whole)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _deeper(document, MAX_DEPTH):
        raise ValueError("nested too deeply")
    if "\\ud" in decoded.lower():
        json.dumps(document, ensure_ascii=False).encode()  # UnicodeEncodeError, which is a ValueError
    return document


def _constant(name: str) -> float:
    raise ValueError(f"'{name}' is no number of JSON")


def _real(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"'{text[:40]}' is too large a number")
    return number


def _whole(text: str) -> int:
    if len(text) > 20 or not -INT64 <= (number := int(text)) < 2 * INT64:
        raise ValueError(f"'{text[:40]}' is too large a number")
    return number


def _deeper(document: Any, depth: int) -> bool:
    """True if the document is nested more than `depth` levels deep."""
    level = [document]
    for _ in range(depth + 1):
        level = [
            value
            for each in level
            if isinstance(each, dict | list)
            for value in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True
