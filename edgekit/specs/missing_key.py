"""Hint for a key that a file lacks: the line to write, in its table, or the key that was meant."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from edgekit.errors.base import nearest


def missing_key_hint(table: Sequence[str], key: str, annotation: Any, unknown: Iterable[str]) -> str:
    """Hint for the key that `table` lacks. unknown: keys that stand there and are none."""
    meant = nearest(key, unknown)
    if meant:
        return f"did you mean '{key}', where '{meant}' stands?"
    form = _form(annotation)
    place = f" under [{'.'.join(table)}]" if table else ""
    return f"state it{place}: {key} = {form}" if form else f"state the table [{'.'.join((*table, key))}]"


def _form(annotation: Any) -> str:
    """Form of a value of a type in a file, such as `[NUMBER, NUMBER]`; empty for a table."""
    kind, parts = get_origin(annotation), get_args(annotation)
    if kind in (Annotated, Union, UnionType):
        return _form(parts[0])
    if kind is Literal:
        return json.dumps(parts[0])
    if kind in (tuple, list):
        return f"[{', '.join(_form(part) for part in parts if part is not Ellipsis)}]"
    if kind is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return ""
    return {bool: "true", int: "NUMBER", float: "NUMBER"}.get(annotation, '"TEXT"')
