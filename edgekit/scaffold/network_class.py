"""Networks in a folder's Python files, found in their text: nothing is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import ScaffoldError

CLASS_COUNTS = frozenset({"num_classes", "n_classes", "nclasses", "num_class", "classes", "num_labels", "n_labels"})
"""Names of arguments that take the number of classes."""
BASES = frozenset({"Module", "Sequential", "LightningModule"})
"""Classes of torch and Lightning whose children are networks."""
LOADS = "load_state_dict"


@dataclass(frozen=True)
class NetworkClass:
    """Class or function that makes a network."""

    module: str
    """Module that it is imported from: `.net` beside the project, or one that is installed, such as
    `torchvision.models`."""
    name: str
    arguments: tuple[str, ...] = ()
    """Arguments that take the number of classes."""
    lacking: tuple[str, ...] = ()
    """Arguments that must be given, and whose values nothing tells."""
    loads: bool = False
    """True if it loads its weights itself."""

    @property
    def place(self) -> str:
        """Place as `edgekit init --network` takes it: `net.py:Net`."""
        return f"{self.module[1:]}.py:{self.name}" if self.module.startswith(".") else f"{self.module}:{self.name}"


def networks(folder: Path) -> list[NetworkClass]:
    """List the networks that the Python files directly in `folder` define, those first that load their weights.

    A class that another one of its file uses is a part of that, and is left out; so are classes that a function of
    the file makes a network of.
    """
    every = [each for path in sorted(folder.glob("*.py")) for each in _networks(path)]
    return sorted(every, key=lambda each: not each.loads)


def classes_beside(network: NetworkClass, folder: Path) -> list[NetworkClass]:
    """List the classes of networks in the file of a function that makes one, the whole one last."""
    if not network.module.startswith("."):
        return []
    every = _networks(folder / f"{network.module[1:]}.py", everything=True)
    return [each for each in every if not each.loads and each.name != network.name]


def network_named(text: str, folder: Path) -> NetworkClass:
    """Find the network that `net.py:Net` or `torchvision.models:resnet18` names. Raises ScaffoldError."""
    module, _, name = text.rpartition(":")
    if not module or not name.isidentifier():
        raise ScaffoldError(f"--network '{text}' is not FILE.py:NAME", hint="--network net.py:Net")
    if not module.endswith(".py"):
        if not all(part.isidentifier() for part in module.split(".")):
            raise ScaffoldError(
                f"--network '{text}': '{module}' is no module", hint="--network torchvision.models:resnet18"
            )
        return NetworkClass(module, name, ("num_classes",) if module.startswith("torchvision.") else ())
    path = folder / module
    if path.parent != folder or not path.is_file():
        raise ScaffoldError(f"--network '{text}': there is no '{module}' in '{folder}'", hint="copy it there")
    matches = [each for each in _networks(path, everything=True) if each.name == name]
    if not matches:
        known = [each.name for each in _networks(path, everything=True)]
        raise ScaffoldError(
            f"--network '{text}': '{module}' has no network '{name}'", hint=f"what it has: {', '.join(known) or 'none'}"
        )
    return matches[0]


def _networks(path: Path, everything: bool = False) -> Iterator[NetworkClass]:
    try:
        body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    if not path.stem.isidentifier():
        return
    classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
    modules: dict[str, ast.ClassDef] = {}
    for name, node in classes.items():
        if any(_last_name(base) in BASES or _last_name(base) in modules for base in node.bases):
            modules[name] = node
    functions = [node for node in body if isinstance(node, ast.FunctionDef) and _makes_network(node, set(modules))]
    makers: list[ast.ClassDef | ast.FunctionDef] = [*modules.values(), *functions]
    used = {name for node in makers for name in _names(node) if name != node.name}
    module = f".{path.stem}"
    for function in functions:
        yield _network(module, function.name, function.args, LOADS in _names(function))
    for name, node in modules.items():
        if everything or name not in used:
            init = next(
                (each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"), None
            )
            yield _network(module, name, init.args if init else None, False)


def _makes_network(function: ast.FunctionDef, modules: set[str]) -> bool:
    """True for a function that no argument must be given to, and that returns a network by its type or its text."""
    required = len(function.args.args) - len(function.args.defaults)
    if (
        required
        or function.name.startswith("_")
        or not any(isinstance(node, ast.Return) for node in ast.walk(function))
    ):
        return False
    stated = _last_name(function.returns) if function.returns else ""
    return stated in BASES or stated in modules or (not stated and bool(modules & set(_names(function))))


def _network(module: str, name: str, arguments: ast.arguments | None, loads: bool) -> NetworkClass:
    if arguments is None:
        return NetworkClass(module, name, loads=loads)
    named = [each.arg for each in (*arguments.posonlyargs, *arguments.args) if each.arg != "self"]
    required = named[: len(named) - len(arguments.defaults)] if arguments.defaults else named
    required += [
        each.arg for each, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value is None
    ]
    counts = tuple(each for each in (*named, *(one.arg for one in arguments.kwonlyargs)) if each in CLASS_COUNTS)
    lacking = tuple(each for each in required if each not in CLASS_COUNTS)
    return NetworkClass(module, name, counts, lacking, loads)


def _names(node: ast.AST) -> list[str]:
    """Every name and attribute that a part of a program reads."""
    named = [
        each.id if isinstance(each, ast.Name) else each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Name | ast.Attribute)
    ]
    quoted = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str))
    return named + [text for text in quoted if re.fullmatch(r"\w+", text)]


def _last_name(node: ast.expr | None) -> str:
    """Last name of `nn.Module` or `torch.nn.Module`; empty for what is no name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.rpartition(".")[2]
    return node.id if isinstance(node, ast.Name) else ""
