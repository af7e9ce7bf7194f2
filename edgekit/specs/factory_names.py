"""Names in a project's Python files, such as `model.py:resnet20`, checked as text: nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from edgekit.errors import SpecError
from edgekit.specs.factory import missing_file, missing_name

DYNAMIC = frozenset({"__getattr__", "exec", "eval", "globals", "locals", "vars", "setattr", "*"})
"""Names by which a module may have others that its text does not show."""


NETWORK = "def {name}(): network = Net(); network.load_state_dict(torch.load(FILE, weights_only=True)); return network"
SAMPLES = "def {name}(): return [(array, label), …]"
"""Functions to write, as hints show them: what makes a network, and what loads samples."""


def check_factory(factory: str, root: Path, function: str = "") -> None:
    """Raise SpecError if there is no such file, or if its text shows that it cannot have the name.

    function: what to write, for the hint. A file that is no Python passes: the import names the line.
    """
    file, _, name = factory.rpartition(":")
    path = (root / file).resolve()
    if not path.is_file():
        raise _with_function(missing_file(file, root), function, file, name)
    try:
        module = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    names = set(_names(module))
    if name not in names and not names & DYNAMIC:
        public = [node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        error = missing_name(file, name, [known for known in public if not known.startswith("_")])
        raise _with_function(error, function, file, name)


def _with_function(error: SpecError, function: str, file: str, name: str) -> SpecError:
    """Add the function to write to the hint of an error."""
    if not function:
        return error
    return SpecError(str(error), hint=f"{error.hint}; or write in {file}: {function.format(name=name)}")


def _names(module: ast.Module) -> Iterator[str]:
    """Every name that the text reads, sets, defines or imports, of whatever scope."""
    for node in ast.walk(module):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
