"""The runner must run where edgekit cannot: an older Python, and nothing installed but numpy and one runtime."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgekit.runner

ROOT = Path(edgekit.runner.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))


def _imported(tree: ast.AST) -> Iterator[str]:
    """The top-level packages that a file imports by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]


def test_every_file_of_the_runner_is_looked_at() -> None:
    folders = [Path(folder) for folder, _, names in os.walk(ROOT) if "__init__.py" in names]
    assert {path.parent for path in FILES} == set(folders)
    assert ROOT / "__main__.py" in FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_is_python_3_9_and_imports_the_standard_library_and_numpy(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 9))
    assert set(_imported(tree)) <= set(sys.stdlib_module_names) | {"numpy"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_imports_dataclasses(path: Path) -> None:
    """They import `inspect`: a quarter of what the runner's start costs on a slow board. It has named tuples."""
    assert "dataclasses" not in _imported(ast.parse(path.read_text("utf-8")))
