"""Words of programs that examples in three languages share: names, texts, sizes."""

from __future__ import annotations

import json
import keyword
import re
from math import prod

BYTES = {"bool": 1, "uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "float16": 2, "uint32": 4, "int32": 4, "float32": 4}
"""Bytes of a number; 8 for all other types."""
OWN = {"answers", "environment", "inputs", "interpreter", "memory", "model", "options", "resolver", "session"}
"""Variables of the examples themselves."""
RESERVED = {
    *OWN,
    *keyword.kwlist,
    "val",
    "var",
    "fun",
    "object",
    "in",
    "when",
    "this",
    "auto",
    "int",
    "float",
    "char",
    "new",
}


def identifier(name: str) -> str:
    """Name of a variable, in any of the languages, for an input or output."""
    plain = re.sub(r"\W", "_", name, flags=re.ASCII).strip("_") or "tensor"
    if plain[0].isdigit():
        return f"tensor_{plain}"
    return f"{plain}_" if plain in RESERVED else plain


def text(words: str) -> str:
    """Literal of a text, in Python and C++."""
    return json.dumps(words)


def byte_count(dtype: str, shape: tuple[int, ...]) -> int:
    """Size of a tensor in bytes."""
    return prod(shape) * BYTES.get(dtype, 8)


def numbers(shape: tuple[int, ...]) -> str:
    """Sizes, separated by commas."""
    return ", ".join(map(str, shape))
