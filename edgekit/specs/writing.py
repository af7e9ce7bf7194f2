"""Write a spec as the TOML file that it could have been read from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from edgekit.specs.spec import Spec


def to_toml(spec: Spec, leave_out: frozenset[str] = frozenset()) -> str:
    """Format every stated field as TOML, tables in the spec's order, except the fields that `leave_out` names."""
    values = spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True, exclude=set(leave_out))
    return "\n".join(_table(values, ())).strip() + "\n"


def _table(values: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    inner = {key: value for key, value in values.items() if isinstance(value, dict)}
    plain = {key: value for key, value in values.items() if key not in inner}
    if path and (plain or not inner):
        yield f"\n[{'.'.join(map(toml_key, path))}]"
    yield from (f"{toml_key(key)} = {toml_value(value)}" for key, value in plain.items())
    for key, value in inner.items():
        yield from _table(value, (*path, key))


def toml_key(key: str) -> str:
    """Write a key, in quotes where it is no bare one."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def toml_value(value: Any) -> str:
    """Write a value in one line; a table as an inline one."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{toml_key(key)} = {toml_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    # TOML writes numbers, true, false and strings of printable text as JSON does.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
