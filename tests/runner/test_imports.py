"""The runner must run where edgekit cannot: an older Python, and nothing installed but numpy and one runtime."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgekit.runner

FILES = sorted(Path(edgekit.runner.__file__).parent.glob("*.py"))


def _imported(tree: ast.AST) -> Iterator[str]:
    """The top-level packages that a file imports by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_python_3_9_and_imports_the_standard_library_and_numpy(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 9))
    assert set(_imported(tree)) <= set(sys.stdlib_module_names) | {"numpy"}
