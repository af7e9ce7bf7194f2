"""Reference of error codes: the meaning of each, and the hints that edgekit prints with it, read from the source."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import edgekit
from edgekit.errors import EdgekitError, all_errors
from scripts.documentation.markdown import cell, pages_linked

MOST = 6
"""Hints that are shown of one code."""


def error_reference() -> str:
    """Markdown of all codes, each with an anchor of its own: `#ek206`."""
    kinds = sorted(set(all_errors()), key=lambda kind: kind.code)
    hints = _hints()
    lines = [
        "# Error codes",
        "",
        "An error is printed as `error EK206: what happened, and where`, with a line `hint:` that can be typed. "
        "`edgekit explain EK206` says what stands here; `edgekit explain EK2` lists a family. "
        "Exit code 2: what was typed or written is wrong, and nothing was started. Exit code 3: it could not be done.",
        "",
        " ".join(f"[{kind.code}](#{kind.code.lower()})" for kind in kinds),
    ]
    for kind in kinds:
        lines += _entry(kind, hints.get(kind.__name__, []))
    return "\n".join(lines) + "\n"


def _entry(kind: type[EdgekitError], hints: list[str]) -> Iterator[str]:
    bases = [base for base in kind.__mro__[1:] if issubclass(base, EdgekitError)]
    yield from ("", f"## {kind.code} {kind.__name__} {{#{kind.code.lower()}}}", "")
    yield from (pages_linked(inspect.cleandoc(kind.__doc__ or "").replace("<", "&lt;")), "")
    family = f"a kind of [{bases[0].__name__}](#{bases[0].code.lower()}); " if bases else ""
    yield f"*{family}exit code {kind.exit_code}*".replace("*a", "*A", 1).replace("*e", "*E", 1)
    if hints:
        yield from ("", "What to do, as its hints say:", "", *(f"- {cell(hint)}" for hint in hints[:MOST]))


def _hints() -> dict[str, list[str]]:
    """Hints by the name of the class, in the order of the source; what a hint fills in is shown as `…`."""
    found: dict[str, list[str]] = {}
    for path in sorted(Path(edgekit.__file__).parent.rglob("*.py")):
        if "hint=" not in (text := path.read_text("utf-8")):
            continue
        tree = ast.parse(text)
        constants = {
            target.id: words
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value and (words := _words(node.value, {}))
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call):
                continue
            name = re.sub(r".*\.", "", ast.unparse(call.func))
            for keyword in call.keywords:
                words = _words(keyword.value, constants) if keyword.arg == "hint" else ""
                if len(words.replace("…", "").split()) > 1 and words not in found.setdefault(name, []):
                    found[name].append(words)
    return found


def _words(node: ast.expr, constants: dict[str, str]) -> str:
    """Text of an expression, or "" if it has none of its own."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_words(part, {}) if isinstance(part, ast.Constant) else "…" for part in values)
        case ast.Name(id=name):
            return constants.get(name, "")
        case _:
            return ""
