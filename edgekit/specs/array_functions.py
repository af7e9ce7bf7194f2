"""Functions that a project states as `preprocess = "file.py:name"`, read as text: the file is not imported."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping
from pathlib import Path

from edgekit.errors import FunctionRefused, SpecError, suggest
from edgekit.runner.processing.array_function import SubsetError, check_function, parse_function
from edgekit.specs.inputs import Input

WAYS_OUT = (
    "write it with numpy's array functions (docs/preprocessing.md), do it in the network's forward, or have a loader "
    "and the application give preprocessed samples"
)


def check_functions(inputs: Mapping[str, Input], root: Path) -> None:
    """Raise SpecError or FunctionRefused if a function that the inputs of the project in `root` state cannot ship."""
    for spec in inputs.values():
        if spec.preprocess_function:
            read_function(spec.preprocess_function, root)


def read_function(stated: str, root: Path) -> str:
    """Source of a function, `file.py:name`, as bundles carry it: constants of its module inside, numpy as `np`.

    Raises SpecError if there is no such file or function, FunctionRefused for one that devices cannot evaluate.
    """
    file, _, name = stated.rpartition(":")
    path = root / file
    try:
        module = ast.parse(path.read_bytes())
    except OSError as error:
        raise SpecError(
            f"there is no '{file}' in '{root}'", hint="paths in edgekit.toml are relative to its folder"
        ) from error
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        raise SpecError(f"'{file}:{line}' is no Python: {error}", hint=f"try it alone: python {file}") from error
    functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    if name not in functions:
        raise SpecError(
            f"'{file}' defines no function '{name}'",
            hint=suggest(name, list(functions), f"def {name}(array): … in '{file}' itself, not imported"),
        )
    try:
        function = _self_contained(functions[name], module)
        check_function(function)
        source = ast.unparse(ast.fix_missing_locations(function))
        parse_function(source)
    except SubsetError as error:
        raise FunctionRefused(
            f"'{name}' cannot go to a device, '{file}:{error.line}': {error.text}", hint=WAYS_OUT
        ) from error
    return source


def _self_contained(function: ast.FunctionDef, module: ast.Module) -> ast.FunctionDef:
    """Copy of a function without annotations and docstring, with the constants of its module that it reads."""
    own = copy.deepcopy(function)
    own.returns = None
    for argument in own.args.args:
        argument.annotation = None
    if ast.get_docstring(own) is not None:
        own.body = own.body[1:] or [ast.copy_location(ast.Pass(), own)]
    own.body = [*_constants(own, module), *own.body]
    return _NumpyName(_numpy_names(module)).visit(own)  # type: ignore[no-any-return]


def _constants(function: ast.FunctionDef, module: ast.Module) -> list[ast.stmt]:
    """Assignments of the module that give names the function reads and does not set, in their order."""
    assigned = [
        (node.targets[0].id, node)
        for node in module.body
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
    ]
    names = _names(function, ast.Load) - _names(function, ast.Store) - {each.arg for each in function.args.args}
    needed: list[ast.stmt] = []
    for name, node in reversed(assigned):
        if name in names:
            needed.insert(0, copy.deepcopy(node))
            names |= _names(node.value, ast.Load)
    return needed


def _names(tree: ast.AST, context: type) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, context)}


def _numpy_names(module: ast.Module) -> set[str]:
    """Names by which the module imports numpy."""
    aliases = (alias for node in module.body if isinstance(node, ast.Import) for alias in node.names)
    return {alias.asname or alias.name for alias in aliases if alias.name == "numpy"}


class _NumpyName(ast.NodeTransformer):
    """Renames numpy to `np`."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.copy_location(ast.Name("np", node.ctx), node) if node.id in self.names else node
