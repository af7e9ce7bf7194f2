"""Factories: names in a user's Python file, written as `model.py:resnet20`."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from pydantic import AfterValidator

from edgekit.errors import EdgekitError, LoadError, SpecError, suggest
from edgekit.specs.hidden_package import check_names, hidden_in
from edgekit.specs.missing_module import companion, missing_module_hint, own_module


def is_factory(value: object) -> bool:
    """True for text like `model.py:resnet20`."""
    return isinstance(value, str) and re.fullmatch(r"[\w./ -]+\.py:[A-Za-z_]\w*", value) is not None


def _well_formed(text: str) -> str:
    if not is_factory(text):
        raise ValueError("expected 'file.py:name'")
    return text


RAISED = (Exception, GeneratorExit, SystemExit)
"""Exceptions to catch from a project's code. The last two do not derive from Exception, and would end the process."""
TORCH_OWN = re.compile(r"(While executing %|Original traceback:|Use tlparse|To (debug|see more)).*", re.DOTALL)
"""Text that torch.fx and torch.export append to any message: a node of the graph, a trace, their tools."""
PACKAGE = re.compile(r"edgekit_project_[0-9a-f]{16}\.?")
"""Name of the package that a project's files are imported into: nobody wrote it."""
Factory = Annotated[str, AfterValidator(_well_formed)]


def resolve(factory: str, root: Path) -> Any:
    """Import the object that `file.py:name` names. `root` stays first on the import path: user code may import late.

    The file is a module of a package, with or without `__init__.py` in its folder: `from .layers import Block` works.
    Raises SpecError if there is no such file or name, LoadError (naming the line) if the file cannot be imported,
    HiddenPackage if a file of the project hides a package.
    """
    file, _, name = factory.rpartition(":")
    path = (root / file).resolve()
    if not path.is_file():
        raise missing_file(file, root)
    module = _module(path, root)
    if not hasattr(module, name):
        raise missing_name(file, name, [known for known in vars(module) if not known.startswith("_")])
    return getattr(module, name)


def missing_file(file: str, root: Path) -> SpecError:
    """Error for a file that a project names and does not have."""
    return SpecError(f"there is no '{file}' in '{root}'", hint="paths in edgekit.toml are relative to its folder")


def missing_name(file: str, name: str, public: Sequence[str]) -> SpecError:
    """Error for a file that does not have a name; public: those that it has."""
    hint = suggest(name, public, f"what it has: {', '.join(public) or 'nothing'}")
    return SpecError(f"'{file}' has no '{name}'", hint=hint)


def forget(root: Path) -> None:
    """Forget the imported files of a project that has been written anew: the next `resolve` reads them again."""
    package = _package(root.resolve(), root)
    for name in [each for each in sys.modules if each == package or each.startswith(f"{package}.")]:
        del sys.modules[name]


def _module(path: Path, root: Path) -> Any:
    # One module a path and project: two projects in one process may both have a `model.py`.
    package = _package(path.parent, root)
    name = f"{package}.{_part(path.stem)}"
    if name in sys.modules:
        return sys.modules[name]
    check_names(root, path.parent)
    for folder in (path.parent, root):  # the root first, then the file's own folder, as if it were run there
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        sys.path.insert(0, str(folder))
    return _imported(name, path, root, _packages(package, path.parent))


def _imported(name: str, path: Path, root: Path, packages: list[tuple[str, Path]]) -> Any:
    """Import the file as the module `name`, after its packages. Raises LoadError with the line, HiddenPackage."""
    loading = [(package, folder) for package, folder in packages if package not in sys.modules]
    added = [*(package for package, _ in loading), name]
    try:
        for package, folder in loading:
            _execute(package, folder / "__init__.py", folder)
        # The package's own `__init__.py` may have imported the file.
        return sys.modules[name] if name in sys.modules else _execute(name, path)
    except BaseException as error:
        for module in added:
            sys.modules.pop(module, None)
        if not isinstance(error, RAISED) or isinstance(error, EdgekitError):
            raise
        hidden = hidden_in(error, root) if isinstance(error, ImportError | AttributeError) else None
        if hidden:
            raise hidden from error
        raise LoadError(
            f"'{path.name}' could not be imported{place(error, root)}: {in_a_line(error)}",
            hint=import_hint(error, path, root),
        ) from error


def import_hint(error: BaseException, path: Path, root: Path) -> str:
    """Hint for an error that the file `path` of the project `root` raised when it was imported."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        if PACKAGE.match(error.name):
            inside = PACKAGE.sub("", error.name).replace(".", "/")
            return own_module(inside, root, path) or f"there is no '{inside}.py' and no folder '{inside}' in '{root}'"
        return missing_module_hint(error.name, root, path)
    if "operator torchvision::" in str(error):
        wanted = companion("torchvision")
        return f"this torchvision is of another build than torch: install the CPU build of torchvision {wanted}"
    if isinstance(error, ImportError) and "beyond top-level package" in str(error):
        return f"relative imports end at the project's folder '{root}': what they name must lie in it"
    return f"try it alone: python {path.name}"


def _execute(name: str, file: Path, folder: Path | None = None) -> ModuleType:
    """Make the module `name` of a file; of a `folder` its package, whose file may be absent."""
    if folder is not None and not file.is_file():
        bare = ModuleSpec(name, None, is_package=True)
        assert bare.submodule_search_locations is not None  # as it is a package
        bare.submodule_search_locations.append(str(folder))
        sys.modules[name] = importlib.util.module_from_spec(bare)
        return sys.modules[name]
    search = [str(folder)] if folder else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=search)
    if spec is None or spec.loader is None:
        raise SpecError(f"'{file.name}' is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _packages(package: str, folder: Path) -> list[tuple[str, Path]]:
    """Packages from the project's root to `folder`, with or without `__init__.py`, so that relative imports work."""
    names = package.split(".")
    folders = [folder, *folder.parents][: len(names)][::-1]
    return [(".".join(names[: i + 1]), place) for i, place in enumerate(folders)]


def _package(folder: Path, root: Path) -> str:
    """Name of the package of a folder of the project; a folder outside is a project of its own."""
    top = root.resolve() if folder.is_relative_to(root.resolve()) else folder
    parts = folder.relative_to(top).parts
    digest = hashlib.sha256(bytes(top)).hexdigest()[:16]
    return ".".join((f"edgekit_project_{digest}", *map(_part, parts)))


def _part(name: str) -> str:
    return name.replace(".", "_")


def place(error: BaseException, root: Path) -> str:
    """` at model.py:12 in forward`: the last line of the project's own files that the error passed through."""
    if isinstance(error, SyntaxError) and (error.filename or "").startswith(f"{root}/"):
        return f" at {error.filename.removeprefix(f'{root}/')}:{error.lineno}"  # type: ignore[union-attr]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(str(root))]
    if not own:
        return ""
    return f" at {own[-1].filename.removeprefix(f'{root}/')}:{own[-1].lineno} in {own[-1].name}"


def in_a_line(error: BaseException) -> str:
    """`ValueError: the first line of what it says`, without what torch adds for those who debug torch."""
    text = PACKAGE.sub("", re.sub(r"\x1b\[[0-9;]*m", "", str(error)))
    lines = TORCH_OWN.sub("", text).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
