"""Base of the records that are read from files, and the parser that makes them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import AllowInfNan, BaseModel, ConfigDict, Strict, ValidationError

from edgekit.errors import SpecError, suggest
from edgekit.errors.faults import with_others
from edgekit.specs.missing_key import missing_key_hint

Whole = Annotated[int, Strict()]
"""A whole number written as one: neither "4096" nor true."""
Real = Annotated[float, Strict(), AllowInfNan(False)]
"""A finite number written as one."""
Flag = Annotated[bool, Strict()]
"""true or false, neither "yes" nor 1."""

NOTHING: Mapping[str, Any] = MappingProxyType({})

# What pydantic says in Python's words, in a file's.
PLAIN = {
    "dict_type": "should be a table",
    "missing": "is missing",
    "model_type": "should be a table",
    "too_short": "should not be empty",
    "tuple_type": "should be a list",
}


class Spec(BaseModel):
    """A record read from a file: immutable, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)

    def __str__(self) -> str:
        return repr(self)

    def __hash__(self) -> int:
        return hash(self.model_dump_json())  # some fields are tables


S = TypeVar("S", bound=Spec)


def read_toml(path: Path) -> dict[str, Any]:
    """Read the tables of a TOML file. Raises SpecError if it is missing, unreadable, or no TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise SpecError(f"there is no '{path}'") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"'{path}' cannot be read: {error}") from error
    except RecursionError as error:
        raise SpecError(f"'{path}' is nested too deeply") from error
    except ValueError as error:  # also raised bare, for a number of thousands of digits
        raise SpecError(f"'{path}' is not TOML: {error}") from error


def parse(model: type[S], values: Mapping[str, Any], where: str, derived: Mapping[str, Any] = NOTHING) -> S:
    """Parse `values` as a `model`, with the fields `derived` from the place of the file, which may not stand in it.

    Raises SpecError that names the first wrong key of `where`, and the nearest right one; its notes name the others.
    """
    if not isinstance(values, Mapping):  # JSON that comes from outside is of any kind
        raise SpecError(f"{where}: 'the file': should be a table of keys")
    unasked = sorted(derived.keys() & values.keys())
    if unasked:
        raise SpecError(f"{where}: '{unasked[0]}': no such key", hint="it follows from where the file is: leave it out")
    try:
        return model.model_validate({**values, **derived})
    except ValidationError as error:
        errors = error.errors(include_url=False)
        faults = [_fault(model, each, errors, where, derived) for each in errors]
        distinct = {str(fault): fault for fault in reversed(faults)}  # each member of a union tells of its own
        raise with_others(list(reversed(distinct.values()))) from error


def _fault(
    model: type[BaseModel], each: Any, errors: Sequence[Any], where: str, derived: Mapping[str, Any]
) -> SpecError:
    """Error for one of pydantic's `errors`, in our words."""
    location, forbidden = list(map(str, each["loc"])), each["type"] == "extra_forbidden"
    # Members of a union are named too, such as `tuple[str, ...]`: no key of the file. What is forbidden is one.
    key = location[-1:] if forbidden else []
    path = [part for part in location[: len(location) - len(key)] if "[" not in part] + key
    message, hint = PLAIN.get(each["type"]) or _sentence(each["msg"]), _hint(each)
    if forbidden:
        known = _keys(model, path[:-1]) - derived.keys()
        message, hint = "no such key", suggest(path[-1], known, f"known keys: {', '.join(sorted(known))}")
    if each["type"] == "missing" and path:
        others = [str(one["loc"][-1]) for one in errors if one["loc"][:-1] == each["loc"][:-1] and one is not each]
        hint = missing_key_hint(path[:-1], path[-1], _annotation(model, path), others)
    place = f"'{'.'.join(path)}': " if path else ""
    return SpecError(f"{where}: {place}{message}", hint=hint)


def _hint(error: Mapping[str, Any]) -> str | None:
    """Hint of a validator of ours, if its exception has one."""
    return getattr(error.get("ctx", {}).get("error"), "hint", None)


def _sentence(message: str) -> str:
    """Pydantic's message, or that of a validator of ours, as our errors read."""
    text = message.removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _keys(model: type[BaseModel], path: list[str]) -> set[str]:
    """The keys that the table at `path` may have, as far as it is a table of named fields."""
    return set(_fields(model, path))


def _annotation(model: type[BaseModel], path: list[str]) -> Any:
    """Type of the key at `path`; None if it is not known."""
    return _fields(model, path[:-1]).get(path[-1])


def _fields(model: type[BaseModel], path: list[str]) -> dict[str, Any]:
    """Types of the keys of the table at `path`, as far as it is a table of named fields."""
    fields = {(field.alias or name): field.annotation for name, field in model.model_fields.items()}
    if not path:
        return fields
    annotation = fields.get(path[0])
    for candidate in _models(annotation):
        # In a list or a table of tables, what follows says which one.
        return _fields(candidate, path[2:] if _holds_many(annotation) else path[1:])
    return {}


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The pydantic models named in a type, such as `tuple[Runtime, ...]` or `Gpu | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models(part)]


def _holds_many(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) in (tuple, dict)
