"""Reference of the Python API: signature and docstring of every name that `import edgekit` promises."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import edgekit

QUALIFIED = re.compile(r"\b(?:edgekit|pathlib|collections\.abc|typing)\.(?:\w+\.)*(?=[A-Z])")
ANNOTATION = re.compile(r"""(: |-> )(['"])(.*?)\2(?=[,)]| =|$)""")
"""Annotations are texts, as of `from __future__ import annotations`."""
SECTION = re.compile(r"(Args|Returns|Raises|Attributes):")
ITEM = re.compile(r"    (\w+(?:, \w+)*): (.*)")


def python_reference() -> str:
    """Markdown of the functions, then of the nouns."""
    members = {name: getattr(edgekit, name) for name in edgekit.__all__}
    functions = {name: member for name, member in members.items() if inspect.isfunction(member)}
    nouns = {name: member for name, member in members.items() if name not in functions}
    lines = [
        "# Python API",
        "",
        "What `import edgekit` promises, made from its docstrings; an example and what is promised: "
        "[from Python](../api.md).",
        "",
        "## Functions",
    ]
    for name, function in functions.items():
        lines += ["", f"### {name}", "", "```python", _signature(name, function), "```", "", *_text(function)]
    lines += ["", "## Nouns"]
    for name, noun in nouns.items():
        lines += ["", f"### {name}", "", *_text(noun)]
        lines += [line for attribute in _public(noun) for line in attribute]
    return "\n".join(lines) + "\n"


def _signature(name: str, function: Any) -> str:
    call = QUALIFIED.sub("", ANNOTATION.sub(r"\1\3", str(inspect.signature(function))))
    if len(name + call) < 100:
        return name + call
    parameters, _, answer = call[1:].rpartition(") ->")
    return f"{name}(\n    " + parameters.replace(", ", ",\n    ") + f",\n) ->{answer}"


def _text(member: Any) -> list[str]:
    """Docstring in Markdown: sections in bold, their items as lists, examples of the prompt as code."""
    lines: list[str] = []
    code = False
    for line in (inspect.getdoc(member) or "").splitlines():
        example = line.startswith((">>>", "...")) or (code and line.strip() != "")
        if example != code:
            lines += ["```pycon"] if example else ["```", ""]
        code = example
        if not code and SECTION.fullmatch(line):
            lines += ["", f"**{line.removesuffix(':')}**", ""]
        elif not code and (item := ITEM.match(line)):
            lines.append(f"- `{item[1]}`: {item[2]}")
        else:
            lines.append(line if code else line.strip())
    return [*lines, "```"] if code else lines


def _public(noun: Any) -> Iterator[list[str]]:
    """Yield lines of the properties and methods of a class that have a docstring and are its own."""
    for name, member in tuple(vars(noun).items()):  # reading a field may add one
        function = getattr(member, "__func__", member)
        getter = getattr(function, "fget", None) or getattr(function, "func", None) or function
        if name.startswith("_") or not inspect.isfunction(getter) or not getter.__doc__:
            continue
        call = "()" if inspect.isfunction(function) else ""
        yield ["", f"- `{name}{call}`: {' '.join(getter.__doc__.split())}"]
