"""Factories: names in a user's Python file, written as `model.py:resnet20`."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from edgekit.errors import EdgekitError, LoadError, SpecError, suggest


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
Factory = Annotated[str, AfterValidator(_well_formed)]


def resolve(factory: str, root: Path) -> Any:
    """Import the object that `file.py:name` names. `root` stays first on the import path: user code may import late.

    Raises SpecError if there is no such file or name, LoadError (naming the line) if the file cannot be imported.
    """
    file, _, name = factory.rpartition(":")
    path = (root / file).resolve()
    if not path.is_file():
        raise SpecError(f"there is no '{file}' in '{root}'", hint="paths in edgekit.toml are relative to its folder")
    module = _module(path, root)
    if not hasattr(module, name):
        public = [known for known in vars(module) if not known.startswith("_")]
        hint = suggest(name, public, f"what it has: {', '.join(public) or 'nothing'}")
        raise SpecError(f"'{file}' has no '{name}'", hint=hint)
    return getattr(module, name)


def _module(path: Path, root: Path) -> Any:
    # One module a path: two projects in one process may both have a `model.py`.
    name = f"edgekit_project_{hashlib.sha256(bytes(path)).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SpecError(f"'{path.name}' is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if str(root) in sys.path:
        sys.path.remove(str(root))
    sys.path.insert(0, str(root))
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, RAISED) or isinstance(error, EdgekitError):
            raise
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        raise LoadError(
            f"'{path.name}' could not be imported{place(error, root)}: {in_a_line(error)}",
            hint=f"pip install {missing}" if missing else f"try it alone: python {path.name}",
        ) from error
    return module


def place(error: BaseException, root: Path) -> str:
    """` at model.py:12 in forward`: the last line of the project's own files that the error passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(str(root))]
    if not own:
        return ""
    return f" at {own[-1].filename.removeprefix(f'{root}/')}:{own[-1].lineno} in {own[-1].name}"


def in_a_line(error: BaseException) -> str:
    """`ValueError: the first line of what it says`, without what torch adds for those who debug torch."""
    lines = TORCH_OWN.sub("", re.sub(r"\x1b\[[0-9;]*m", "", str(error))).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
