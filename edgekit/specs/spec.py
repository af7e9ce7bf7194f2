"""What every record read from a file has in common, and how a file becomes one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from edgekit.errors import SpecError, suggest


class Spec(BaseModel):
    """A record read from a file: immutable, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


S = TypeVar("S", bound=Spec)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises SpecError if it is missing, unreadable, or no TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise SpecError(f"there is no '{path}'") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"'{path}' cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"'{path}' is not TOML: {error}") from error


def parse(model: type[S], values: Mapping[str, Any], where: str) -> S:
    """`values` as a `model`. Raises SpecError that names the first wrong key of `where`, and the nearest right one."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = [str(part) for part in first["loc"]]
        hint = None
        if first["type"] == "extra_forbidden":
            known = _keys(model, path[:-1])
            hint = suggest(path[-1], known, f"known keys: {', '.join(sorted(known))}")
        message = "no such key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        raise SpecError(f"{where}: '{'.'.join(path) or 'the file'}': {message}", hint=hint) from error


def _keys(model: type[BaseModel], path: list[str]) -> set[str]:
    """The keys that the table at `path` may have, as far as it is a table of named fields."""
    fields = {(field.alias or name): field for name, field in model.model_fields.items()}
    if not path:
        return set(fields)
    for candidate in _models(fields[path[0]].annotation) if path[0] in fields else ():
        rest = [part for part in path[1:] if not part.isdigit()]
        return _keys(candidate, rest)
    return set()


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The pydantic models named in a type, such as `tuple[Runtime, ...]` or `Gpu | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models(part)]
