"""Files of a project that hide a package: `torch.py` beside `model.py` is imported where torch is meant."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

from edgekit.errors import HiddenPackage

COMPILER = {
    "ai_edge_litert", "ai_edge_quantizer", "cryptography", "edgekit", "executorch", "filelock", "flatbuffers",
    "fsspec", "google", "huggingface_hub", "jax", "jaxlib", "jinja2", "litert_converter", "litert_torch",
    "markupsafe", "ml_dtypes", "mpmath", "networkx", "numpy", "onnx", "onnx_ir", "onnxruntime", "onnxscript",
    "packaging", "PIL", "platformdirs", "pydantic", "pydantic_core", "rich", "safetensors", "scipy", "sympy",
    "torch", "torch_pruning", "torchao", "tqdm", "transformers", "typer", "typing_extensions", "yaml",
}  # fmt: skip
"""Modules outside the standard library that a build imports, early or late."""
HARMLESS = frozenset({"__main__", "antigravity", "idlelib", "lib2to3", "test", "this", "turtle", "turtledemo"})
"""Modules of the standard library that no library imports."""


def check_names(root: Path, *folders: Path) -> None:
    """Raise HiddenPackage if a file or package in the project's `root` or in `folders` hides a module of the build.

    A folder without `__init__.py` hides nothing: Python prefers every regular package to it.
    """
    for folder in dict.fromkeys((root, *folders)):
        for name, path in _modules(folder):
            if name in COMPILER or (name in sys.stdlib_module_names and name not in HARMLESS):
                raise _hidden(name, path.relative_to(root) if path.is_relative_to(root) else path)


def hidden_in(error: BaseException, root: Path) -> HiddenPackage | None:
    """Refusal if `error`, raised by the project's code, names a module of the project that hides an installed one."""
    words = set(re.findall(r"\w+", f"{error} {getattr(error, 'name', '')}"))
    elsewhere = [entry for entry in sys.path if entry and Path(entry).resolve() != root]
    for name, path in _modules(root):
        if name in words and PathFinder.find_spec(name, elsewhere) is not None:
            return _hidden(name, path.relative_to(root))
    return None


def _hidden(name: str, path: Path) -> HiddenPackage:
    whose = "Python's own module" if name in sys.stdlib_module_names else "the package"
    new = path.with_name(f"my_{path.name}")
    return HiddenPackage(
        f"your '{path}' hides {whose} '{name}', which is imported here", hint=f"rename it, to '{new}' for example"
    )


def _modules(folder: Path) -> Iterator[tuple[str, Path]]:
    """Modules and regular packages directly in `folder`: name and path."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.suffix == ".py":
            yield path.stem, path
        elif (path / "__init__.py").is_file():
            yield path.name, path
