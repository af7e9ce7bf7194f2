"""Reference of files: the fields of a pydantic model and of those in it, with type, bounds, default and meaning."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from scripts.documentation.markdown import cell, pages_linked, table

Schema = Mapping[str, Any]
BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
    "minItems": "items: at least",
}
TYPES = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text", "null": "null"}


def schema_reference(title: str, introduction: str, model: type[BaseModel], hidden: frozenset[str]) -> str:
    """Markdown of a model and all models in it. hidden: fields of `model` that its file does not state."""
    schema = model.model_json_schema()
    classes = {kind.__name__: kind for kind in _below(BaseModel)}
    lines = [f"# {title}", "", introduction, "", *_fields(schema, classes.get(schema["title"]), hidden)]
    for name, nested in _mentioned(schema):
        lines += ["", f"## {name} {{#{name.lower()}}}", ""]
        lines += [*_about(nested), "", *_fields(nested, classes.get(name), frozenset())]
    return "\n".join(lines) + "\n"


def _mentioned(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the models within a model, in the order in which they are mentioned first."""
    models = schema.get("$defs", {})
    names = list(dict.fromkeys(_references({key: part for key, part in schema.items() if key != "$defs"})))
    for name in names:  # which grows
        yield name, models[name]
        names += [other for other in dict.fromkeys(_references(models[name])) if other not in names]


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        if "$ref" in part:
            yield part["$ref"].rpartition("/")[2]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _about(schema: Schema) -> list[str]:
    return [pages_linked(inspect.cleandoc(schema.get("description", "")).replace("<", "&lt;"))]


def _fields(schema: Schema, model: type[BaseModel] | None, hidden: frozenset[str]) -> Iterator[str]:
    if "properties" not in schema:
        yield from (_type(schema), "")
        return
    meanings = _meanings(model) if model else {}
    by_alias = {field.alias or name: name for name, field in model.model_fields.items()} if model else {}
    required = schema.get("required", ())
    rows = []
    for key, field in schema["properties"].items():
        if key in hidden:
            continue
        meaning = field.get("description") or meanings.get(by_alias.get(key, key), "")
        kind = f"{_type(field)}; {_default(key, field, required)}"
        rows.append((f"`{key}`", f"{kind}<br>{pages_linked(cell(meaning))}" if meaning else kind))
    yield from table(("field", "type; default; meaning"), rows)


def _default(key: str, field: Schema, required: Sequence[str]) -> str:
    if key in required:
        return "required"
    default = field.get("default")
    # Of a table, each key has its own default; TOML has no null.
    return "optional" if default is None or isinstance(default, Mapping) else f"default `{cell(json.dumps(default))}`"


def _type(schema: Schema) -> str:
    """Type in a person's words, with links to the models on the page."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type(each) for each in schema[several]))
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{json.dumps(value)}`" for value in values)
    bounds = [f"{words} {schema[key]}" for key, words in BOUNDS.items() if key in schema]
    words = _plain(schema)
    return ", ".join([words, *bounds])


def _plain(schema: Schema) -> str:
    match schema.get("type"):
        case "array":
            items: Schema = schema.get("items") or next(iter(schema.get("prefixItems", ())), {})
            return f"list of {_type(items)}" if items else "list"
        case "object":
            values = schema.get("additionalProperties")
            return f"table of {_type(values)}" if isinstance(values, Mapping) and values else "table"
        case str(kind):
            return TYPES[kind]
        case _:
            return "any value"


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Texts below the fields of a class and of its bases, by the name of the field."""
    meanings: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if not issubclass(kind, BaseModel) or kind is BaseModel:
            continue
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
        assert isinstance(definition, ast.ClassDef)
        for field, text in zip(definition.body, definition.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                meanings[ast.unparse(field.target)] = str(text.value.value)
    return meanings


def _below(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)
