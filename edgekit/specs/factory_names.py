"""Names in a project's Python files, such as `model.py:resnet20`, checked as text: nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from edgekit.specs.factory import missing_file, missing_name

DYNAMIC = frozenset({"__getattr__", "exec", "eval", "globals", "locals", "vars", "setattr", "*"})
"""Names by which a module may have others that its text does not show."""


def check_factory(factory: str, root: Path) -> None:
    """Raise SpecError if there is no such file, or if its text shows that it cannot have the name.

    A file that is no Python passes: the import names the line.
    """
    file, _, name = factory.rpartition(":")
    path = (root / file).resolve()
    if not path.is_file():
        raise missing_file(file, root)
    try:
        module = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    names = set(_names(module))
    if name not in names and not names & DYNAMIC:
        public = [node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        raise missing_name(file, name, [known for known in public if not known.startswith("_")])


def _names(module: ast.Module) -> Iterator[str]:
    """Every name that the text reads, sets, defines or imports, of whatever scope."""
    for node in ast.walk(module):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
